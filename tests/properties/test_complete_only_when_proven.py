"""A deployment is complete only when every required check passed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.checks import Finding, Verdict, is_complete, run_checks
from sre_agent_deploy.report.render import markdown
from sre_agent_deploy.report.report import Report
from sre_core.problem import Problem

FAULT = Problem(code="X-FAULT", what="w", why="y", do=("d",))


@dataclass(frozen=True)
class Scripted:
    """A check that could not look (`blind`), or sees `holds`: None where the facts don't show it."""

    id: str
    required: bool
    blind: bool
    holds: bool | None
    optional: bool
    proves: str = "it works"
    requirements: tuple[str, ...] = ("4.1",)

    def probe(self, world: None) -> tuple[bool | None] | Problem:
        return FAULT if self.blind else (self.holds,)

    def judge(self, facts: tuple[bool | None]) -> Verdict:
        return Verdict(facts[0], "seen", None if facts[0] else FAULT, optional=self.optional)

    @property
    def counts(self) -> bool:
        """Is a deployment incomplete without it? Not where it says itself that it can't always be seen, and was not."""
        return self.required and not (self.optional and self.holds is None and not self.blind)


CHECKS = st.lists(
    st.builds(
        Scripted,
        id=st.text(max_size=5),
        required=st.booleans(),
        blind=st.booleans(),
        holds=st.none() | st.booleans(),
        optional=st.booleans(),
    ),
    max_size=12,
)


@pytest.mark.property(4)
@given(CHECKS)
def test_complete_only_when_every_required_check_passed(checks: list[Scripted]) -> None:
    """**Feature: aws-ec2-production-deployment, Property 4: Comprehensive Connectivity Testing**

    For any deployed system, all configuration validation, AWS service connectivity, API endpoint accessibility, and authentication
    testing should pass before marking deployment as complete.

    For any checks: all are run, a check that could not look never counts as passed, a failed one says what to do, and a deployment
    is complete only if everything was looked at.
    """
    findings = run_checks(checks, None)
    assert [finding.check for finding in findings] == [check.id for check in checks]
    assert [finding.status for finding in findings] == [_expected(check) for check in checks]
    assert all(finding.problem for finding in findings if finding.status != "passed")
    proven = bool(checks) and all(check.holds and not check.blind for check in checks if check.counts)
    assert is_complete(findings) is proven
    assert _verdict(findings) == ("verified" if proven else "not verified")


def _expected(check: Scripted) -> str:
    if check.blind or check.holds is None:
        return "unknown"
    return "passed" if check.holds else "failed"


def _verdict(findings: tuple[Finding, ...]) -> object:
    report = Report("sre-1", "us-east-1", "local", "https://x", (), findings)
    assert ("NOT verified" in markdown(report)) is not report.verified
    return report.to_json()["overall_status"]
