"""The refusal checks prove nothing if the front door itself answers because its service does not run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.verification.access import ExpiredTokenRefused, ExpiryFacts, Refusal
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_agent_deploy.checks.verification.tools import ToolsCalled
from sre_core.secret import Secret

NOBODY = Client("id", Secret("secret"), "scope")
WORLD = Endpoints("https://sre.example.com", "192.0.2.1", "https://gateway.example/mcp", "https://issuer.example", NOBODY, NOBODY)


def answered(status: int) -> Refusal:
    return Refusal("logs.no_key", "logs refuses a request without a key", lambda _: Answer(status, b'{"error": "the words"}', {}))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_service_that_does_not_run(status: int) -> None:
    """An error of the front door does not mean open access: the check could not look, and advises nobody to take the machine offline."""
    [finding] = run_checks((answered(status),), WORLD)
    assert (finding.status, finding.problem and finding.problem.code) == ("unknown", "ACCESS-NOT-SEEN")
    assert "the words" in str(finding.problem)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404])
def test_a_door_that_is_open(status: int) -> None:
    """Any other answer than a refusal fails."""
    [finding] = run_checks((answered(status),), WORLD)
    assert (finding.status, finding.problem and finding.problem.code) == ("failed", "ACCESS-NOT-REFUSED")


def test_calls_that_fail() -> None:
    """The problem quotes the failure, and says that the gateway must be able to resolve the domain."""
    verdict = ToolsCalled().judge({"logs": "An internal error occurred.", "metrics": ""})
    assert verdict.problem
    assert verdict.problem.why == "logs: An internal error occurred."
    assert any("domain_name must resolve" in step for step in verdict.problem.do)


@pytest.mark.parametrize(
    ("facts", "holds", "optional"),
    [
        (ExpiryFacts({"gateway": 401, "assistant": 403}), True, False),
        (ExpiryFacts({"gateway": 401, "assistant": 200}), False, False),
        (ExpiryFacts({"gateway": 401, "assistant": 502}), None, False),
        (ExpiryFacts({}, timedelta(hours=1)), None, True),
        (ExpiryFacts({"gateway": 200}, timedelta(hours=1)), False, False),
    ],
)
def test_an_expired_token(facts: ExpiryFacts, holds: bool | None, optional: bool) -> None:
    """Only a refusal passes; if no token expires in time the result is unknown, and only that does not stop a deployment."""
    verdict = ExpiredTokenRefused().judge(facts)
    assert (verdict.holds, verdict.optional) == (holds, optional)
    assert (verdict.problem is None) is (holds is True)
