"""A plan that leaves some resources as they are."""

from __future__ import annotations

from fixtures.engine import Engine
from sre_agent_deploy.engine.planning import plan_changes
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
