"""A plan that leaves some resources as they are."""

from __future__ import annotations

from fixtures.engine import Engine
from sre_agent_deploy.engine.planning import leave_out, plan_changes
from sre_agent_deploy.plan import Action


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
