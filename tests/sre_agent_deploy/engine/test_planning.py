"""A plan that leaves some resources as they are."""

from __future__ import annotations

from dataclasses import replace

from fixtures.engine import Engine
from sre_agent_deploy.engine.inventory import attribute_owner
from sre_agent_deploy.engine.planning import leave_out, plan_changes, plan_unwanted
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.plan import Action
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG, Found
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_object import Content, S3Object


def test_what_depends_on_a_resource_that_is_left(engine: Engine) -> None:
    """The address of a machine that is not replaced is not replaced either."""
    zone = engine.client("route53").create_hosted_zone(Name=f"{engine.name}.example", CallerReference=engine.name)["HostedZone"]["Id"]
    engine.parts = ("dns_record",)
    domain = {"domain_name": f"sre.{engine.name}.example", "hosted_zone_id": zone.rpartition("/")[2]}
    engine.sections = {"deployment": domain}
    engine.deploy()
    engine.sections["deployment"] = {**domain, "volume_gb": 60}
    assert {"instance", "address"} <= {name for name, action in engine.changes().items() if action is Action.REPLACE}
    left = plan_changes(engine.aws, engine.wanted, engine.state, leave=("instance",))
    assert {change.action for change in left.changes} == {Action.KEEP}


def test_a_resource_without_outputs_that_is_left(engine: Engine) -> None:
    """A metric filter has none: one that exists stays, as AWS has it; one that does not is left out."""
    name = "metric_requests"
    engine.parts, engine.sections = (name,), {"monitoring": {"enabled": "always"}}
    absent = plan_changes(engine.aws, engine.wanted, None, leave=(name,))
    assert name not in {change.name for change in leave_out(absent, engine.wanted, frozenset({name}))[0].changes}
    engine.deploy()
    group, _, filter_name = engine.id_of(name).partition("/")
    metric = {"metricName": "Other", "metricNamespace": "Other", "metricValue": "1"}
    logs = engine.client("logs")
    logs.put_metric_filter(logGroupName=group, filterName=filter_name, filterPattern="", metricTransformations=[metric])
    assert engine.changes() == {name: Action.UPDATE}
    left = plan_changes(engine.aws, engine.wanted, engine.state, leave=(name,))
    kept, wanted = leave_out(left, engine.wanted, frozenset({name}))
    assert kept.change(name).action is Action.KEEP
    assert name in {item.name for item in wanted}


def test_what_the_configuration_no_longer_asks_for() -> None:
    """A resource that the deployment created is deleted; a bucket that the configuration named is the user's, and stays."""
    made = Record("user_pool", UserPool.KIND, 1, "", "ready", "2026-11-30T00:00:00Z", id="us-east-1_a")
    named = replace(made, name="bucket", kind=S3Bucket.KIND, id="team-bucket", named=True)
    assert [(change.action, change.id) for change in plan_unwanted((made, named))] == [(Action.DELETE, "us-east-1_a")]


def test_whose_an_object_without_tags_is() -> None:
    """Ours in our bucket below our prefix; beside the prefix, and in a bucket of others, it is theirs, and neither changed nor deleted."""
    ours, theirs = {DEPLOYMENT_TAG: "sre-1"}, dict[str, str]()

    def owner(key: str, of_bucket: dict[str, str]) -> str:
        content = S3Object(name="openapi", bucket_name="b", key=key, content=Content(b""), content_type="text/plain")
        bucket = Found("b", S3Bucket(name="bucket", bucket_name="b"), tags=of_bucket)
        return attribute_owner(S3Object, Found(f"b/{key}", content, tags={}), "sre-1", bucket).owner("sre-1")

    assert owner("sre-agent/sre-1/openapi.json", ours) == "us"
    assert owner("reports/openapi.json", ours) == "stranger"
    assert owner("sre-agent/sre-11/openapi.json", ours) == "stranger"
    assert owner("sre-agent/sre-1/openapi.json", theirs) == "stranger"


def test_whose_an_app_client_is() -> None:
    """All in our pool are ours; in a pool that the configuration names, only one that bears the deployment's id: the others stay."""

    def owner(client_name: str, tags: dict[str, str]) -> str:
        client = AppClient(name="caller_client", user_pool_id="p", client_name=client_name, scopes=())
        pool = Found("p", UserPool(name="user_pool", pool_name="p"), tags=tags)
        return attribute_owner(AppClient, Found("p/c", client), "sre-1", pool).owner("sre-1")

    assert owner("app", {DEPLOYMENT_TAG: "sre-1"}) == "us"
    assert owner("sre-1-caller", {}) == "us"
    assert owner("app", {}) == "stranger"
    assert owner("app", {DEPLOYMENT_TAG: "sre-2"}) == "stranger"


def test_the_newest_generation_goes_on(engine: Engine) -> None:
    """Where neither the recorded one nor one that another state file's run has created beside it is right, the later one goes on."""
    engine.parts, name = ("security_group",), "security_group"
    engine.deploy()
    ec2, older = engine.client("ec2"), engine.id_of(name)
    [group] = ec2.describe_security_groups(GroupIds=[older])["SecurityGroups"]
    tags = [{**tag, "Value": "2"} if tag["Key"] == GENERATION_TAG else tag for tag in group["Tags"]]
    tagged = [{"ResourceType": "security-group", "Tags": tags}]
    made = ec2.create_security_group(GroupName=f"{engine.id}-2", Description="-", VpcId=group["VpcId"], TagSpecifications=tagged)
    items = tuple(
        replace(item, resource=replace(item.resource, description="another")) if item.name == name else item for item in engine.wanted
    )
    change = plan_changes(engine.aws, replace(engine.wanted, items=items), engine.state).change(name)
    assert (change.action, change.id, change.generation) == (Action.REPLACE, made["GroupId"], 2)
