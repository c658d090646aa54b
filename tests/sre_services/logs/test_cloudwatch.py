"""Logs of CloudWatch by Logs Insights: the queries, and that no query runs on when its caller is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fixtures import cloudwatch
from fixtures.embedded import EmbeddedAws
from sre_core import clock
from sre_core.problem import Refused
from sre_services.logs.insights import write_query
from sre_services.logs.model import LogFilter
from sre_services.logs.pattern import Pattern
from sre_services.logs.providers.cloudwatch import CloudWatchLogs, Insights, open_provider
from sre_services.sources.aws import AwsClient
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

# The records are written when the first test runs, which may be an hour after this.
WINDOW = Window(clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=4))
RECORDS = [
    ("node-1", '{"log": "ERROR cart: no route\\n", "kubernetes": {"pod_name": "cart-6d4b75cb6d-x7k2p", "labels": {"app": "cart"}}}'),
    ("node-1", '{"log": "all is well", "level": "info", "kubernetes": {"pod_name": "web-0", "labels": {"app": "web"}}}'),
    ("node-2", "WARN no JSON at all"),
]


def settings(aws: EmbeddedAws, **values: str) -> Settings:
    return Settings("cloudwatch", "cloudwatch", values, cloudwatch.environment(aws))


@pytest.fixture(scope="module")
def group(embedded: EmbeddedAws) -> str:
    """A group as Container Insights writes it: each record is a JSON object with its pod, or what a program wrote."""
    name, logs = "/aws/containerinsights/shop/application", embedded.client("logs")
    logs.create_log_group(logGroupName=name)
    for stream in ("node-1", "node-2"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    for stream, message in RECORDS:
        event = {"timestamp": int(clock.now().timestamp() * 1000) - 60_000, "message": message}
        logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=[event])
    return name


def test_records_of_a_cluster(embedded: EmbeddedAws, group: str) -> None:
    """Text, level, pod and workload come out of the JSON; by a label each of its values is a service."""
    by_pod = open_provider(settings(embedded, log_groups=group, label="kubernetes.pod_name"))
    found = by_pod.records(LogFilter(window=WINDOW))
    assert {(each.service, each.pod, each.level, each.message) for each in found} == {
        ("cart", "cart-6d4b75cb6d-x7k2p", "ERROR", "ERROR cart: no route"),
        ("web", "web-0", "INFO", "all is well"),
    }
    by_label = open_provider(settings(embedded, log_groups=group, label="kubernetes.labels.app"))
    assert by_label.services() == ("cart", "web")
    assert [each.message for each in by_label.records(LogFilter(window=WINDOW, services=("cart",)))] == ["ERROR cart: no route"]
    by_group = open_provider(settings(embedded, log_groups=group))
    assert by_group.services() == ("application",)
    assert len(by_group.records(LogFilter(window=WINDOW))) == 3
    only = LogFilter(window=WINDOW, pattern=Pattern("no route|well"), levels=frozenset({"ERROR"}))
    assert [each.level for each in by_group.records(only)] == ["ERROR"]


def test_what_is_left_to_insights() -> None:
    """Names, levels, kinds and plain patterns are; a pattern that JSON would write otherwise is looked for here."""
    where = LogFilter(window=WINDOW, levels=frozenset({"WARN"}), expression=r"\bready\b|a/b", pattern=Pattern("time.*out"))
    assert write_query(where, 10, "app-name", ["a"]) == (
        'fields @timestamp, @message, @logStream, @log, kubernetes.pod_name, `app-name` | filter `app-name` in ["a"]'
        " | filter @message like /(?i)(WARN|WARNING)/ | filter @message like /(?i)(ready|a\\/b)/"
        " | filter @message like /(?i)(time.*out)/ or @logStream like /(?i)(time.*out)/ or @log like /(?i)(time.*out)/"
        " | sort @timestamp desc | limit 10"
    )
    for text in ('"quoted"', "*error*"):
        assert "filter" not in write_query(LogFilter(window=WINDOW, pattern=Pattern(text)), 10)
    assert len(write_query(where, 10, "app-name", [f"service-{number}" for number in range(800)])) < 1_000, "AWS refuses more than 10,000"


def test_a_query_that_takes_too_long(embedded: EmbeddedAws, group: str) -> None:
    """It is stopped, because a query costs by what it reads, and the caller learns that it was too slow."""
    insights = Insights(AwsClient("logs", "CloudWatch Logs", settings(embedded)), [group], seconds=0.0)
    with pytest.raises(Refused) as refused:
        CloudWatchLogs(insights, "").records(LogFilter(window=WINDOW))
    assert refused.value.problems[0].code == "SVC-SOURCE-SLOW"
    queries = embedded.client("logs").describe_queries(logGroupName=group)["queries"]
    assert [query["status"] for query in queries if query["status"] != "Complete"] == ["Cancelled"]


def test_what_aws_refuses(embedded: EmbeddedAws) -> None:
    """A group that does not exist, and credentials that are not accepted, are Problems with the reason."""
    absent = open_provider(settings(embedded, log_groups="/nowhere")).check()
    assert absent
    assert absent.code == "SVC-SOURCE-ABSENT"
    forged = {**cloudwatch.environment(embedded), "AWS_SECRET_ACCESS_KEY": "of nobody"}
    problem = open_provider(Settings("cloudwatch", "cloudwatch", {"log_groups": "/nowhere"}, forged)).check()
    assert problem
    assert problem.code == "SVC-SOURCE-CREDENTIAL"
    assert "of nobody" not in str(problem)
