"""A team that has a trail names its log group: it is read and counted in, and neither changed nor deleted."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from fixtures.engine import Engine
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.trail import TrailUsable, list_gaps
from sre_agent_deploy.commands.audit import read_trail
from sre_agent_deploy.commands.readiness import find_trail_fault
from sre_agent_deploy.config.operations import MonitoringConfig
from sre_agent_deploy.monitoring import TRAIL_LOG
from sre_core import clock, metrics

from .resources.life import until

GATEWAY = "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-1-0000000000"
ALERTS = {"email": "team@example.com"}


def choose(*fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"FieldSelectors": [*fields]}


def equal(field: str, *values: str) -> dict[str, Any]:
    return {"Field": field, "Equals": [*values]}


EVERY_GATEWAY = choose(equal("eventCategory", "Data"), equal("resources.type", "AWS::BedrockAgentCore::Gateway"))
MANAGEMENT = choose(equal("eventCategory", "Management"))


@pytest.fixture
def team(unbooted: Any, site: AccountFacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Another team, whose trail keeps the requests of every gateway."""
    team = Engine(unbooted, site, tmp_path_factory.mktemp("team"), parts=("trail",))
    team.sections = {"monitoring": {"enabled": "always", "cloudtrail": True}, "alerts": ALERTS}
    team.deploy()
    _select(team, EVERY_GATEWAY, MANAGEMENT)
    yield team
    team.discard()


def _select(team: Engine, *selectors: Mapping[str, Any]) -> None:
    team.client("cloudtrail").put_event_selectors(TrailName=team.id_of("trail"), AdvancedEventSelectors=list(selectors))


def _look(team: Engine) -> dict[str, Any]:
    """Return everything that would be different if a resource of the team had been changed."""
    cloudtrail, logs, trail = team.client("cloudtrail"), team.client("logs"), team.id_of("trail")
    [group] = logs.describe_log_groups(logGroupNamePrefix=team.id_of(TRAIL_LOG))["logGroups"]
    return {
        "trail": cloudtrail.get_trail(Name=trail)["Trail"],
        "selectors": cloudtrail.get_event_selectors(TrailName=trail)["AdvancedEventSelectors"],
        "group": {key: value for key, value in group.items() if key not in ("storedBytes", "metricFilterCount")},
        "tags": logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"],
        "filters": logs.describe_metric_filters(logGroupName=team.id_of(TRAIL_LOG))["metricFilters"],
    }


def _name(engine: Engine, team: Engine) -> None:
    engine.parts = ("metric_unauthorizedinaws", "alarm_refusals")
    named = {"enabled": "always", "cloudtrail": True, "trail_log_group": team.id_of(TRAIL_LOG), "refusals": 3}
    engine.sections = {"monitoring": named, "alerts": ALERTS}


def _ask_without_permission(engine: Engine, times: int) -> None:
    gateway = engine.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=engine.id_of("gateway"))
    with httpx2.Client(verify=ssl.create_default_context(cafile=engine.embedded.ca_file)) as http:
        asked = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
        answers = [http.post(gateway["gatewayUrl"], json=asked, headers={"authorization": "Bearer garbage"}) for _ in range(times)]
    assert {answer.status_code for answer in answers} == {401}


def test_the_trail_of_a_team(engine: Engine, team: Engine) -> None:
    """Its log group raises the alarm and fills audit and readiness; cleaning up, also without a state, leaves all of it as it was."""
    _name(engine, team)
    before = _look(team)
    engine.deploy()
    assert not [each for each in engine.client("cloudtrail").list_trails()["Trails"] if engine.id in each["Name"]]
    _ask_without_permission(engine, 4)
    begin = clock.now() - timedelta(hours=1)
    assert until(lambda: len(read_trail(engine.aws, engine.state, begin)) == 4)
    name = f"{engine.id}-refusals"
    assert until(lambda: engine.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"] == "ALARM")
    assert find_trail_fault(engine.aws, engine.id_of(TRAIL_LOG)) == ""
    team.client("cloudtrail").stop_logging(Name=team.id_of("trail"))
    assert find_trail_fault(engine.aws, engine.id_of(TRAIL_LOG)) == "it was stopped"
    team.client("cloudtrail").start_logging(Name=team.id_of("trail"))
    [ours] = [each for each in _look(team)["filters"] if each not in before["filters"]]
    assert (ours["filterName"], ours["metricTransformations"][0]["metricNamespace"]) == (
        f"{engine.id}-UnauthorizedInAws", metrics.namespace(engine.id)
    )  # fmt: skip
    assert not engine.cleanup(lost=True).problems
    assert _look(team) == before
    engine.forget()


def test_leaving_the_trail_of_a_team(engine: Engine, team: Engine) -> None:
    """Another configuration makes a trail of the deployment's own, and takes the filter out of the team's log group."""
    _name(engine, team)
    before = _look(team)
    engine.deploy()
    del engine.sections["monitoring"]["trail_log_group"]
    engine.parts = (*engine.parts, "trail")
    engine.deploy()
    assert _look(team) == before
    assert [each["Name"] for each in engine.client("cloudtrail").list_trails()["Trails"] if engine.id in each["Name"]]


def test_what_preflight_says(engine: Engine, team: Engine) -> None:
    """The log group must have a trail that delivers, and keeps the events; each fault says whose turn it is."""
    _name(engine, team)

    def look() -> str:
        [found] = run_checks((TrailUsable(),), Context(engine.config, engine.aws, clock.now()))
        assert (found.status == "passed") is (found.problem is None)
        return found.problem.code if found.problem else ""

    assert look() == ""
    _select(team, MANAGEMENT)
    assert look() == "CLOUDTRAIL-NAMED-EVENTS"
    team.client("cloudtrail").stop_logging(Name=team.id_of("trail"))
    assert look() == "CLOUDTRAIL-NAMED-SILENT"
    engine.sections["monitoring"]["trail_log_group"] = "absent"
    assert look() == "CLOUDTRAIL-NAMED-NOT-FOUND"


def test_a_log_group_that_nobody_reads() -> None:
    """Without monitoring.cloudtrail it is named as a setting without effect."""
    chosen = MonitoringConfig(trail_log_group="audit")
    assert [(fault.code, fault.warning) for fault in chosen.faults("production")] == [("CONFIG-NO-EFFECT", True)]
    assert not (chosen.makes_trail or chosen.names_trail)


REQUESTS, TOKENS = "the data events of AWS::BedrockAgentCore::Gateway", "management events that write"
DATA = equal("eventCategory", "Data"), equal("resources.type", "AWS::BedrockAgentCore::Gateway")


@pytest.mark.parametrize(
    ("selectors", "gaps"),
    [
        ({"AdvancedEventSelectors": [EVERY_GATEWAY, MANAGEMENT]}, []),
        ({"AdvancedEventSelectors": [choose(*DATA, {"Field": "resources.ARN", "StartsWith": [GATEWAY[:-20]]}), MANAGEMENT]}, []),
        ({"AdvancedEventSelectors": [choose(*DATA, {"Field": "resources.ARN", "StartsWith": [f"{GATEWAY[:-16]}x"]})]}, [REQUESTS, TOKENS]),
        ({"AdvancedEventSelectors": [choose(*DATA, {"Field": "resources.ARN", "NotStartsWith": [GATEWAY[:-12]]}), MANAGEMENT]}, [REQUESTS]),
        ({"AdvancedEventSelectors": [choose(*DATA, equal("readOnly", "true")), MANAGEMENT]}, [REQUESTS]),
        ({"AdvancedEventSelectors": [EVERY_GATEWAY, choose(equal("eventCategory", "Management"), equal("readOnly", "true"))]}, [TOKENS]),
        ({"AdvancedEventSelectors": [EVERY_GATEWAY, choose(equal("eventCategory", "Management"), equal("readOnly", "false"))]}, []),
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}, [REQUESTS]),
        ({"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}, [REQUESTS, TOKENS]),
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": False}]}, [REQUESTS, TOKENS]),
        ({}, [REQUESTS, TOKENS]),
    ],
)
def test_what_a_trail_leaves_out(selectors: Mapping[str, Any], gaps: list[str]) -> None:
    """A selector is judged by the events that will come: those of a gateway whose id begins with its name."""
    assert list(list_gaps(selectors, GATEWAY)) == gaps
