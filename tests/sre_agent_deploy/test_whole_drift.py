"""A person makes a whole deployment by the Console guide; then each setting is made wrong, one at a time.

Plan and guide name it and nothing else, and a deployment repairs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedAws
from fixtures.engine import Engine
from fixtures.hands import Hands
from fixtures.page import Page
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.apply import apply
from sre_agent_deploy.commands.guide import known_values
from sre_agent_deploy.engine.planning import by_hand, describe_gap, is_right, leave_out, limit_to_step, look_at_step, take_over
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.guide.places import account_values
from sre_agent_deploy.guide.steps import name_step, write_guide
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Action, Comparison, Plan, describe_comparisons
from sre_agent_deploy.resources.kinds import declared

from .mutations import ALSO, ELSEWHERE, LIFTS, MUTATIONS, TAKEN_BACK

ROWS: dict[tuple[str, str], Comparison] = {(kind.__name__, row.setting): row for kind in declared() for row in describe_comparisons(kind)}
CASES = [(*where, number) for where, (_, ways) in MUTATIONS.items() for number in range(len(ways))]
# The endpoint follows a runtime that was repaired alone.
FOLLOWS = {"runtime_endpoint"}


@dataclass
class Whole:
    """The deployment, and what its resources refer to: with that one resource can be planned alone, in a tenth of the time."""

    engine: Engine
    outputs: Mapping[str, Outputs]

    def plan(self, name: str) -> Plan:
        return look_at_step(self.engine.aws, self.engine.wanted, name, self.outputs, self.engine.state)

    def repair(self, name: str, plan: Plan) -> None:
        """Apply a plan of one resource."""
        outcome = apply(self.engine.aws, self.part(name), plan, self.engine.journal())
        assert not outcome.problems, outcome.problems

    def part(self, name: str) -> Blueprint:
        return limit_to_step(self.engine.wanted, name, self.outputs)


def make_by_hand(engine: Engine) -> dict[str, Outputs]:
    """Make every resource by plain boto3, from the values that the Console guide shows. Each is right at once, and is recorded."""
    guide = write_guide(engine.wanted, account_values(engine.config), engine.config)
    hands, journal, outputs = Hands(engine.client), engine.journal(), dict[str, Outputs]()
    for item in engine.wanted:
        step = name_step(guide, item.name)
        assert step, item.name
        hands.make(Page.of(guide, step, known_values(outputs), engine.folder))
        plan = look_at_step(engine.aws, engine.wanted, item.name, outputs, journal.state)
        assert is_right(plan), (item.name, describe_gap(plan))
        take_over(journal, plan.changes[0])
        outputs[item.name] = plan.changes[0].outputs
    return outputs


@pytest.fixture(scope="module")
def whole(unbooted: EmbeddedAws, site: AccountFacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """One deployment with every kind of resource, made by hand as the Console guide says, for all changes."""
    zone = unbooted.client("route53").create_hosted_zone(Name="drift.example", CallerReference="drift")["HostedZone"]["Id"]
    sections = {
        "tags": {"team": "red"},
        "aws": {"network": "create", "endpoints": "all", "ipv6": True},
        "deployment": {"domain_name": "sre.drift.example", "hosted_zone_id": zone.rpartition("/")[2]},
        "limits": {"monthly_usd": 50},
        "alerts": {"email": "team@example.com"},
        "monitoring": {"enabled": "always", "outside_check": True, "cloudtrail": True},
        "assistant": {"runtime": "agentcore"},
        "services": {"kubernetes": [{"source": "eks", "cluster": "drift", "access_entry": True}]},
    }
    unbooted.client("eks").create_cluster(
        name="drift",
        roleArn=f"arn:aws:iam::{unbooted.account_id}:role/cluster",
        resourcesVpcConfig={"subnetIds": ["subnet-1"]},
        accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"},
    )
    engine = Engine(unbooted, site, tmp_path_factory.mktemp("whole"), sections=sections)
    yield Whole(engine, make_by_hand(engine))
    # Every repair was whole. One that was not is also named by the next change of the same resource.
    assert engine.changes().keys() <= FOLLOWS
    engine.discard()


def test_every_compared_setting_is_changed() -> None:
    """A setting that is compared has a change by hand here, or is one that AWS lets no user change, or says where it is tested."""
    tested = {where for where, row in ROWS.items() if row.compared and row.changeable}
    assert tested - set(MUTATIONS) == set(ELSEWHERE)
    assert set(MUTATIONS) <= tested


def test_nearly_every_setting_is_compared() -> None:
    """At least 95 % of them, and every other one with a reason."""
    assert sum(row.compared for row in ROWS.values()) / len(ROWS) >= 0.95
    assert all(row.because for row in ROWS.values())


def test_made_by_hand(whole: Whole) -> None:
    """A plan of all that a person made has nothing to do, and what follows starts from there: 60 wrong values and more."""
    assert whole.engine.changes() == {}
    assert len(CASES) >= 60


@pytest.mark.parametrize(("kind", "setting", "number"), CASES)
def test_changed_by_hand(whole: Whole, kind: str, setting: str, number: int) -> None:
    """The plan names the setting and no other; a deployment repairs it, or leaves a protection, as the plans after it show."""
    name, ways = MUTATIONS[kind, setting]
    ways[number](whole.engine)
    plan = whole.plan(name)
    assert not plan.problems, plan.problems
    [change] = plan.changes
    assert (change.name, {entry.field for entry in change.differences}) == (name, {setting, *ALSO.get((kind, setting), ())})
    # The guide names exactly these fields, each with AWS's value and the right one.
    gaps = describe_gap(plan)
    assert is_right(plan) is (change.action is Action.KEEP) is (not gaps)
    assert {gap.partition(":")[0] for gap in gaps if ": AWS has " in gap} == {
        entry.field for entry in change.differences if not entry.stays
    }
    if change.action is Action.KEEP:
        assert all(entry.stays for entry in change.differences)
        LIFTS[kind, setting](whole.engine)
    elif (kind, setting) in TAKEN_BACK:
        assert change.action is Action.REPLACE
        TAKEN_BACK[kind, setting](whole.engine, whole.part(name).item(name).resource)
    else:
        whole.repair(name, plan)


def test_any_step_can_be_left_to_a_person(whole: Whole, site: AccountFacts, tmp_path: Path) -> None:
    """`--skip` and `--manual` of a step leave out it and what needs it, and nothing else; `--manual` says where it is explained."""
    sections = {name: value for name, value in whole.engine.sections.items() if name != "deployment"}
    fresh = Engine(whole.engine.embedded, site, tmp_path, sections=sections)
    plan, needs = fresh.plan(), fresh.wanted.needs()
    assert not plan.problems, plan.problems
    for name in needs:
        part, wanted = leave_out(plan, fresh.wanted, frozenset({name}))
        left = {name}
        while more := {other for other, others in needs.items() if others & left} - left:
            left |= more
        assert {change.name for change in part.changes} == {item.name for item in wanted} == needs.keys() - left
        [problem] = by_hand(plan, (name,))
        assert (problem.code, f"--step {name}`" in problem.do[0]) == ("STEP-BY-HAND", True)


def test_deployed_at_once(whole: Whole, engine: Engine) -> None:
    """A plan after a first deployment of everything has nothing to do."""
    named = {**whole.engine.sections["deployment"], "domain_name": "other.drift.example"}
    engine.sections = {**whole.engine.sections, "deployment": named}
    engine.deploy()
    assert engine.changes() == {}


def test_the_whole_plan_names_them_alone(whole: Whole) -> None:
    """After all repairs nothing is left, and what is changed in the middle of a whole deployment is named, and nothing else is."""
    changed = [MUTATIONS[where] for where in (("SecurityGroup", "egress"), ("S3Object", "content"), ("UserPool", "mfa"))]
    for _, ways in changed:
        ways[0](whole.engine)
    plan = whole.engine.plan()
    assert not plan.problems, plan.problems
    named = {change.name: change.action for change in plan.changes if change.action is not Action.KEEP and change.name not in FOLLOWS}
    assert named == {name: Action.UPDATE for name, _ in changed}
    assert not whole.engine.apply(plan).problems
