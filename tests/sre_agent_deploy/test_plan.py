"""The decision about one resource: a change with its reason, from what is wanted and what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sre_agent_deploy.engine.planning import replaces_beside, sort_newest_first
from sre_agent_deploy.graph import Item
from sre_agent_deploy.journal.state import Phase, Record
from sre_agent_deploy.later import Ref
from sre_agent_deploy.plan import Action, Change, choose_generation, decide_change
from sre_agent_deploy.resource import GENERATION_TAG, Found, Mark
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.ec2_elastic_ip import MachineAddress
from sre_core.problem import Problem

US = Mark("sre-1", "gateway", 1, token="").tags()
WANTED = Gateway(name="gateway", gateway_name="g", description="d", role_arn="arn:role", discovery_url="https://i/", allowed_clients=("c",))


def record(phase: Phase) -> Record:
    return Record("gateway", Gateway.KIND, 1, "token", phase, "2026-11-22T10:00:00Z", id="g-1")


def decided(seen: Gateway | None, *, wanted: Gateway = WANTED, known: Record | None = None, tags: dict[str, str] = US) -> Change:
    found = Found("g-1", seen, {"gateway_id": "g-1"}, tags) if seen else None
    change = decide_change(Item(wanted), wanted, found, known, "sre-1")
    assert isinstance(change, Change), change
    assert change.because
    return change


def test_what_is_not_there_is_created() -> None:
    """The reasons for an absence are different: never created, unfinished, deleted outside of this tool."""
    assert decided(None).because == "nothing has this name yet"
    assert "was not confirmed" in decided(None, known=record("intended")).because
    assert "outside of this tool" in decided(None, known=record("ready")).because
    assert {decided(None, known=known).action for known in (None, record("ready"))} == {Action.CREATE}


def test_what_matches_is_kept() -> None:
    """No difference, no call."""
    assert decided(WANTED).action is Action.KEEP


def test_a_difference_is_an_update_that_names_the_field() -> None:
    """Only the field that differs is named, with both values."""
    change = decided(replace(WANTED, description="other"))
    assert change.action is Action.UPDATE
    assert [str(difference) for difference in change.differences] == ["description: other -> d"]


def test_a_difference_in_a_fixed_field_is_a_replacement() -> None:
    """A field that AWS can't change in place leads to a replacement, and the plan says so."""
    change = decided(replace(WANTED, search=True))
    assert change.action is Action.REPLACE
    assert "can't be changed in place" in change.because


def test_what_a_replacement_loses() -> None:
    """A pool's people, a bucket's objects, a secret's value, an address that others know: the plan names it, so that the user is asked."""
    assert {kind.KIND: kind.LOSES for kind in kinds.ORDER if kind.LOSES} == {
        "AWS::BedrockAgentCore::Runtime": "address",
        "AWS::BedrockAgentCore::RuntimeEndpoint": "address",
        "AWS::BedrockAgentCore::Gateway": "address",
        "AWS::Cognito::UserPool": "data",
        "AWS::Cognito::UserPoolClient": "address",
        "AWS::Cognito::UserPoolDomain": "address",
        "AWS::DynamoDB::Table": "data",
        "AWS::EC2::EIP": "address",
        "AWS::Logs::LogGroup": "data",
        "AWS::S3::Bucket": "data",
        "AWS::SecretsManager::Secret": "data",
    }
    assert decided(replace(WANTED, search=True)).loses == "address"
    assert decided(replace(WANTED, description="other")).loses == ""


def test_a_fixed_address_that_is_given_up() -> None:
    """The address that was the deployment's own is asked for before it is released; that of a machine goes with its machine."""
    wanted = MachineAddress(name="address", instance_id="i-2")
    assert wanted.loses(MachineAddress(name="address", instance_id="")) == "address"
    assert wanted.loses(MachineAddress(name="address", instance_id="i-1")) == ""


def candidate(id: str, generation: int, seen: Gateway = WANTED) -> Found[Gateway]:
    return Found(id, seen, {}, US | {GENERATION_TAG: str(generation)})


def test_which_generation_goes_on() -> None:
    """The newest one that matches; where none does, the newest: an older one may have been given up already."""
    other = replace(WANTED, description="other")
    found = [candidate("g-1", 1, other), candidate("g-3", 3, other), candidate("g-2", 2, other)]
    newest_first = sort_newest_first(found, ())
    assert [each.id for each in newest_first] == ["g-3", "g-2", "g-1"]
    chosen = choose_generation(WANTED, newest_first)
    assert chosen
    assert chosen.id == "g-3"
    matching = choose_generation(WANTED, (candidate("g-3", 3, other), candidate("g-2", 2), candidate("g-1", 1)))
    assert matching
    assert matching.id == "g-2"


def test_a_value_that_is_not_known_yet_is_a_difference() -> None:
    """A resource that depends on a new one is updated too."""
    change = decided(WANTED, wanted=replace(WANTED, role_arn=Ref("role", "arn")))
    assert change.action is Action.UPDATE
    assert change.differences[0].wanted == "known after apply"


@pytest.mark.parametrize("phase", ["intended", "born"])
def test_what_was_not_finished_is_configured_again(phase: Phase) -> None:
    """A created resource whose configuration was interrupted is never taken as finished."""
    assert decided(WANTED, known=record(phase)).action is Action.UPDATE


def test_what_is_not_ours_is_never_touched() -> None:
    """A resource of this name without our tag stops the plan, with choices."""
    problem = decide_change(Item(WANTED), WANTED, Found("g-1", WANTED, {}, {}), None, "sre-1")
    assert isinstance(problem, Problem)
    assert problem.code == "EXISTS-NOT-OURS"
    assert len(problem.do) == 3
    assert "sre-agent:deployment-id = sre-1" in problem.do[2], "the tag may have been taken off by hand"


def test_what_the_user_named_is_used_as_it_is() -> None:
    """A named resource is kept with all its differences; if it does not exist, none is created in its place."""
    other = replace(WANTED, description="theirs")
    kept = decide_change(Item(WANTED, named="g-1"), WANTED, Found("g-1", other, {}, {}), None, "sre-1")
    assert isinstance(kept, Change)
    assert (kept.action, kept.named) == (Action.KEEP, True)
    absent = decide_change(Item(WANTED, named="g-1"), WANTED, None, None, "sre-1")
    assert isinstance(absent, Problem)
    assert absent.code == "NAMED-NOT-FOUND"


def test_what_never_will_work_is_made_anew() -> None:
    """A broken resource is replaced although it matches: for its own reason, before its replacement, and nothing is lost by that."""
    found = Found("g-1", WANTED, {}, US, broken="it is being deleted")
    change = decide_change(Item(WANTED), WANTED, found, record("ready"), "sre-1")
    assert isinstance(change, Change)
    assert (change.action, change.because, change.loses) == (Action.REPLACE, "it is being deleted", "")
    assert not replaces_beside(change)
