"""Every hop of a deployment made faulty for real: the report names the hop once, and no combination of faults is called complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.faulty import FAULTS, Whole, whole_deployment
from sre_agent_deploy.checks import Check, Finding, Verdict, is_complete, run_checks
from sre_agent_deploy.checks.suite import verification_checks
from sre_agent_deploy.checks.verification.access import request_token
from sre_agent_deploy.report.render import html, junit, markdown
from sre_agent_deploy.report.report import HOPS, Report
from sre_core.problem import Problem
from sre_core.secret import Secret

GOOD = "nothing"
type Facts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Kept:
    """A real check that keeps what its probe saw, or is given what a probe saw before."""

    real: Check[Any, Any]
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return self.real.id

    @property
    def proves(self) -> str:
        return self.real.proves

    @property
    def requirements(self) -> tuple[str, ...]:
        return self.real.requirements

    @property
    def required(self) -> bool:
        return self.real.required

    def probe(self, world: Any) -> Any:
        if self.id not in self.facts:
            self.facts[self.id] = self.real.probe(world)
        return self.facts[self.id]

    def judge(self, facts: Any) -> Verdict:
        return self.real.judge(facts)


def judge(facts: dict[str, Any], world: Any = None) -> tuple[Finding, ...]:
    return run_checks([Kept(check, facts) for check in verification_checks()], world)


def report(findings: tuple[Finding, ...]) -> Report:
    return Report("sre-1", "us-east-1", "production", "https://sre.example.com", (), findings, "2026-11-29T12:00:00Z")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_deployment(tmp_path_factory.mktemp("whole")) as served:
        yield served


@pytest.fixture(scope="module")
def seen(whole: Whole) -> Facts:
    """Return the facts that the real checks read of a good deployment, and of each fault, over the network."""
    found: dict[str, dict[str, Any]] = {}
    for name in (GOOD, *FAULTS):
        judge(found.setdefault(name, {}), whole.world(*(() if name == GOOD else (name,))))
    return found


def test_a_good_deployment(seen: Facts) -> None:
    """It is complete, and each hop is proven."""
    made = report(judge(dict(seen[GOOD])))
    assert made.verified, made.causes
    assert set(made.summarize().connectivity_tests.values()) == {True}


def test_the_login_is_discovered_once(whole: Whole) -> None:
    """All tokens of a verification are requested by one reading of the OpenID configuration, which is repeated only after a problem."""
    world = whole.world("login.no_discovery")
    assert isinstance(request_token(world, world.caller_client), Problem)
    whole.world()
    whole.requests.clear()
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(partial(request_token, world), [world.caller_client, world.gateway_client] * 4))
    assert all(isinstance(token, Secret) for token in tokens)
    assert whole.requests.count("/openid") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_each_hop(seen: Facts, fault: str) -> None:
    """The report has one cause, which names the hop and a remedy; a required one leaves the deployment incomplete."""
    wanted = FAULTS[fault]
    made = report(judge(dict(seen[fault])))
    causes = [cause for cause in made.causes if cause.problem.code != "ACCESS-EXPIRY-NOT-SEEN"]
    assert [(cause.problem.code, cause.hop) for cause in causes] == [(wanted.code, wanted.hop)]
    assert causes[0].problem.do
    assert made.verified is not wanted.required
    here, there = made.hops[wanted.hop]
    assert (here, there) == (True, False) if fault.startswith("instance.") else not here or wanted.hop == "tls"


def combine(seen: Facts, faults: frozenset[str]) -> dict[str, Any]:
    """Return the facts of the checks for several faults: each check meets the first of them on its way."""
    good = {finding.check: finding.status for finding in judge(dict(seen[GOOD]))}
    combined = dict(seen[GOOD])
    for fault in sorted(faults, key=lambda name: -HOPS.index(FAULTS[name].hop)):
        broken = {finding.check for finding in judge(dict(seen[fault])) if finding.status not in ("passed", good[finding.check])}
        combined |= {check: seen[fault][check] for check in broken}
    return combined


@pytest.mark.property(4)
@given(faults=st.frozensets(st.sampled_from(sorted(FAULTS)), max_size=5))
def test_no_combination_of_faults_is_complete(seen: Facts, faults: frozenset[str]) -> None:
    """**Feature: aws-ec2-production-deployment, Property 4: Comprehensive Connectivity Testing**

    For any deployed system, all configuration validation, AWS service connectivity, API endpoint accessibility, and authentication
    testing should pass before marking deployment as complete.

    For any combination of real faults no form of the report says that the deployment is complete; it names at least the first
    fault's hop, and no problem twice.
    """
    findings = judge(combine(seen, faults))
    made = report(findings)
    complete = not any(FAULTS[fault].required for fault in faults)
    assert is_complete(findings) is made.verified is complete
    assert ("NOT verified" in markdown(made)) is ("NOT verified" in html(made)) is not complete
    assert ('failures="0"' in junit(made)) is complete
    problems = [(cause.problem.code, cause.problem.what, cause.problem.why) for cause in made.causes]
    assert len(problems) == len(set(problems))
    if faults:
        first = min(HOPS.index(FAULTS[fault].hop) for fault in faults)
        assert HOPS[first] in {cause.hop for cause in made.causes}
    assert all(isinstance(cause.problem, Problem) for cause in made.causes)
