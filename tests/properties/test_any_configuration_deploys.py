"""Every valid configuration deploys, passes every check that can run, and is deleted completely."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fixtures.any_configuration import Account, account, pairwise_sections, sections
from fixtures.sample import THOROUGH
from sre_agent_deploy.checks import Check, Finding
from sre_agent_deploy.checks import run_checks as checked
from sre_agent_deploy.checks.suite import run_preflight, verification_checks
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.commands.plan import draw_blueprint, plan_deployment
from sre_agent_deploy.commands.switch import apply_plan
from sre_agent_deploy.commands.verify import find_endpoints
from sre_agent_deploy.commands.workspace import open_journal
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.engine.delete import clean_up
from sre_agent_deploy.journal.store import FileStore
from sre_agent_deploy.plan import Action
from sre_core import clock

# The rest of the suite asks the machine, which runs nothing here.
NEEDS_NO_MACHINE = (
    "token.gateway_client",
    "token.caller_client",
    "gateway.no_token",
    "gateway.edited_token",
    "gateway.wrong_client",
    "gateway.tools_listed",
)


# Each example is a deployment: making a failing one smaller would take longer than reading it.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
# A hundred would take more time than all tests together have; the pairwise dozen below covers what a field can do to another.
AS_FOUND = settings(max_examples=300 if THOROUGH else 2, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def without_machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("without-machines"), "--no-boot") as opened:
        yield opened
        # Once for all: what any of them had left would still be there.
        assert opened.everything() == opened.at_first


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("whole")) as opened:
        yield opened
        assert opened.everything() == opened.at_first


@pytest.mark.property(1)
@pytest.mark.timeout(3 * 3600)
@settings(AS_FOUND)
@given(data=st.data())
def test_any_configuration_deploys(without_machines: Account, data: st.DataObject) -> None:
    """**Feature: aws-ec2-production-deployment, Property 1: Deployment Validation**

    For any valid deployment configuration, the SRE Agent should successfully initialize all services, pass connectivity tests,
    and be accessible via HTTPS endpoints.

    For any valid configuration: preflight finds nothing against it, it deploys, what needs no machine is proven by its checks, a
    second run has nothing to do, and cleanup leaves what was there before. `make test-thorough` deploys 300.
    """
    proofs = [check for check in verification_checks() if check.id in NEEDS_NO_MACHINE]
    assert len(proofs) == len(NEEDS_NO_MACHINE)
    comes_and_goes(without_machines, data.draw(sections(without_machines.theirs)), proofs)


@pytest.mark.parametrize("number", range(100 if THOROUGH else 12))
def test_any_configuration_works(whole: Account, number: int, tried: Callable[[str, int], None]) -> None:
    """The same with machines that run: every service initializes, every check passes, all over HTTPS.

    A dozen configurations cover every pair of fields; `make test-thorough` deploys a hundred.
    """
    comes_and_goes(whole, pairwise_sections(whole.theirs, number), verification_checks())
    tried("configurations deployed with machines", 1)


def comes_and_goes(there: Account, chosen: dict[str, Any], proofs: Sequence[Check[Endpoints, Any]]) -> None:
    with tempfile.TemporaryDirectory(prefix="configuration-") as folder:
        config_file = Path(folder) / "config.yaml"
        config_file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in chosen.items()))
        config = load(config_file, environ={}, mode="local")
        assert isinstance(config, Config), config
        deploys(there, config, config_file, proofs)


def deploys(there: Account, config: Config, config_file: Path, proofs: Sequence[Check[Endpoints, Any]]) -> None:
    assert not failed(run_preflight(config, there.place.aws, clock.now()))
    wanted = draw_blueprint(config, there.place, None)
    plan = plan_deployment(there.place, wanted, None)
    assert not plan.problems, plan.problems
    store = FileStore(config_file.with_name("state"))
    journal = open_journal(wanted.deployment, config=config, config_file=config_file, account=there.place, store=store, state=None)
    journal.begin_run("deploy")
    outcome = apply_plan(there.place, wanted, plan, journal, lambda _: None)
    assert not outcome.problems, outcome.problems
    assert not failed(checked(proofs, find_endpoints(config, there.place, outcome.outputs)))
    again = plan_deployment(there.place, wanted, journal.state)
    assert not [change for change in again.changes if change.action is not Action.KEEP]
    cleaned = clean_up(there.place.aws, wanted.deployment, journal)
    assert not cleaned.problems, cleaned.problems


def failed(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.required and finding.status != "passed"]
