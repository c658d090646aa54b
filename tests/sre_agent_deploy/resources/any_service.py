"""Generate values for the fields of files, records, logs and alarms, within AWS's limits."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from sre_agent_deploy.resources.budgets_budget import Notification
from sre_agent_deploy.resources.s3_object import Content

from .any_values import DIGITS, LETTERS, NAMES, WORDS, Choices, named, some
from .parents import Parents

METRIC = {
    "metric_namespace": st.text(NAMES + "/._-#", min_size=1, max_size=60),
    "metric_name": st.text(NAMES + "/._- ", min_size=1, max_size=60).map(str.strip).filter(bool),
}


def budget(parents: Parents) -> Choices:
    notifications = st.builds(
        Notification,
        notification_type=st.sampled_from(("ACTUAL", "FORECASTED")),
        threshold=st.integers(1, 1000).map(float),
        email=st.builds("{}@example.com".format, st.text(LETTERS, min_size=1, max_size=20)),
        topic_arn=st.sampled_from((*parents.named["alarm_actions"], "")),
        threshold_type=st.sampled_from(("PERCENTAGE", "ABSOLUTE_VALUE")),
        comparison_operator=st.sampled_from(("GREATER_THAN", "LESS_THAN", "EQUAL_TO")),
    )
    return {
        "budget_name": named(parents, NAMES + " .-_+", 100),
        "limit_amount": st.decimals(1, 1_000_000, places=2).map(str),
        "tag_key_value": st.builds("user:{}${}".format, st.text(NAMES, min_size=1, max_size=40), st.text(NAMES, min_size=1, max_size=40)),
        "notifications": st.lists(notifications, max_size=5, unique_by=lambda one: repr(one.key())).map(tuple),
        "limit_unit": st.just("USD"),
        "time_unit": st.sampled_from(("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY")),
        "budget_type": st.just("COST"),
    }


def alarm(parents: Parents) -> Choices:
    actions = some(parents.named["alarm_actions"], most=2)
    # Together they may look back one day, and a week where a period is an hour or more.
    counts = st.integers(1, 24).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))
    periods = st.builds(lambda period, counted: (period, *counted), st.sampled_from((10, 20, 30, 60, 300, 3600)), counts)
    percentiles = st.decimals(0, 100, places=1).map("p{}".format)
    return {
        "alarm_name": named(parents, NAMES + " ._-/#:", 255),
        "alarm_description": WORDS,
        **METRIC,
        "dimensions": st.dictionaries(st.text(NAMES, min_size=1, max_size=50), WORDS.filter(str.isascii), max_size=10).map(
            lambda each: tuple(each.items())
        ),
        "statistic": st.one_of(st.sampled_from(("SampleCount", "Average", "Sum", "Minimum", "Maximum")), percentiles),
        ("period", "evaluation_periods", "datapoints_to_alarm"): periods,
        "alarm_threshold": st.floats(-1e9, 1e9),
        "comparison": st.sampled_from(
            ("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold")
        ),
        "missing_data": st.sampled_from(("breaching", "notBreaching", "ignore", "missing")),
        "alarm_actions": actions,
        "ok_actions": actions,
        "insufficient_data_actions": actions,
    }


def dashboard(parents: Parents) -> Choices:
    texts = st.builds(lambda markdown: {"type": "text", "properties": {"markdown": markdown}}, WORDS)
    bodies = st.lists(texts, max_size=5).map(lambda widgets: json.dumps({"start": "-PT1H", "widgets": widgets}))
    return {"dashboard_name": named(parents, NAMES + "-_", 255), "dashboard_body": bodies}


def table(parents: Parents) -> Choices:
    kinds = st.sampled_from("SNB")
    attributes = st.lists(WORDS, min_size=3, max_size=3, unique=True)
    return {
        "table_name": named(parents, NAMES + "_.-", 255),
        ("partition_key", "sort_key", "ttl_attribute"): st.tuples(attributes, kinds, kinds).map(
            lambda drawn: ((drawn[0][0], drawn[1]), (drawn[0][1], drawn[2]), drawn[0][2])
        ),
        # The other mode needs a throughput.
        "billing_mode": st.just("PAY_PER_REQUEST"),
    }


def delivery_destination(parents: Parents) -> Choices:
    return {"delivery_destination_name": named(parents, NAMES + "-_", 60), "output_format": st.sampled_from(("json", "plain"))}


def delivery_source(parents: Parents) -> Choices:
    return {"delivery_source_name": named(parents, NAMES + "-_", 60), "log_type": st.just("APPLICATION_LOGS")}


def log_group(parents: Parents) -> Choices:
    places = st.sampled_from(("", "/aws/vendedlogs/"))
    days = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
    return {
        "log_group_name": places.flatmap(lambda place: named(parents, NAMES + "-_./#", 512, place)),
        "retention_days": st.sampled_from(days),
        "kms_key": st.sampled_from(("", *parents.named["kms_key"])),
    }


def metric_filter(parents: Parents) -> Choices:
    patterns = ('{ $.level = "error" }', "ERROR", "[ip, user, status=5*]", '"not found" -debug', "")
    dimensions = st.dictionaries(st.text(NAMES, min_size=1, max_size=50), st.text(NAMES, min_size=1).map("$.{}".format), max_size=3)
    return {
        "filter_name": st.text(NAMES + "-_. #", min_size=1, max_size=100).map(str.strip).filter(bool),
        ("filter_pattern", "dimensions"): st.one_of(
            st.tuples(st.sampled_from(patterns), st.just(())),
            # Only the fields of JSON and of a list of columns have names.
            st.tuples(st.just(patterns[0]), dimensions.map(lambda each: tuple(sorted(each.items())))),
        ),
        **METRIC,
        "metric_value": st.one_of(st.integers(0, 1000).map(str), st.just("$.size")),
    }


def bucket(parents: Parents) -> Choices:
    keys = [f"aws:kms {key}" for key in parents.named["kms_key"]]
    origins = st.builds("https://{}.example.com".format, st.text(LETTERS, min_size=1, max_size=20))
    return {
        # With a dot TLS could not check its name.
        "bucket_name": named(parents, LETTERS + DIGITS + "-", 63, last=LETTERS + DIGITS),
        "ownership": st.sampled_from(("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")),
        "encryption": st.sampled_from(("AES256", *keys)),
        "versioning": st.sampled_from(("Off", "Enabled")),
        "old_version_days": st.sampled_from((0, 1, 30, 3650)),
        "expire_days": st.sampled_from((0, 1, 30, 3650)),
        "trail_arn": st.just(""),
        "cors_origins": some(origins),
        "access_log": st.sampled_from(("", *parents.named["access_log"])),
    }


def stored_object(parents: Parents) -> Choices:
    words = st.text(NAMES + "äß !-_.*'()&$@=;:+,?~%", min_size=1, max_size=40).filter(lambda part: part.strip(".") != "")
    return {
        "key": st.builds("{}/{}".format, st.just(parents.deployment), st.lists(words, min_size=1, max_size=4).map("/".join)),
        "content": st.binary(max_size=200).map(Content),
        "content_type": st.sampled_from(("application/json", "application/zip", "text/plain; charset=utf-8")),
        "storage_class": st.sampled_from(("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR")),
    }


def topic(parents: Parents) -> Choices:
    names = named(parents, NAMES + "-_", 256)
    mails = st.builds("{}@example.com".format, st.text(LETTERS, min_size=1, max_size=20))
    pages = st.builds("https://hooks.example.com/{}".format, st.text(NAMES, min_size=1, max_size=20))
    return {
        "topic_arn": names.map(lambda name: f"arn:aws:sns:{parents.aws.region}:{parents.aws.account_id}:{name}"),
        "display_name": st.one_of(st.just(""), WORDS),
        "kms_key": st.sampled_from(("", *parents.named["kms_key"])),
        "recipients": some(st.one_of(mails, pages), most=3),
    }


def trail(parents: Parents) -> Choices:
    gateways = "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-{}".format
    return {
        ("trail_name", "bucket_name", "log_group_arn", "role_arn"): st.sampled_from(parents.trails),
        "gateway_arn": st.builds(gateways, st.text(LETTERS + DIGITS, min_size=1, max_size=40)),
        "kms_key": st.sampled_from(("", *parents.named["trail_key"])),
        # Of all regions it has the global events, too.
        ("multi_region", "global_events"): st.sampled_from(((False, False), (False, True), (True, True))),
    }


def health_check(parents: Parents) -> Choices:
    names = st.builds("{}.example.com".format, st.text(LETTERS, min_size=1, max_size=40))
    addresses = st.sampled_from(parents.named["public_ip"])
    return {
        ("domain", "address"): st.one_of(st.tuples(names, st.just("")), st.tuples(st.just(""), addresses), st.tuples(names, addresses)),
        "port": st.integers(1, 65535),
        "resource_path": st.text(NAMES + "-_./?=&", max_size=200).map("/{}".format),
        ("check_type", "enable_sni"): st.sampled_from((("HTTPS", True), ("HTTPS", False), ("HTTP", False))),
        "failure_threshold": st.integers(1, 10),
        "request_interval": st.sampled_from((10, 30)),
    }


def dns_record(parents: Parents) -> Choices:
    [zone] = parents.named["zone"]
    return {
        "domain": st.builds("{}.{}".format, st.text(NAMES, min_size=1, max_size=40), st.just(zone)),
        "address": st.ip_addresses(v=4).map(str),
        "ttl": st.integers(0, 2**31 - 1),
        "ipv6_address": st.one_of(st.just(""), st.ip_addresses(v=6).map(str)),
    }


def alias_record(parents: Parents) -> Choices:
    targets = st.builds("{}.cloudfront.net".format, st.text(LETTERS + DIGITS, min_size=13, max_size=14))
    return {"domain": dns_record(parents)["domain"], "address": targets}
