"""`costs`: what a deployment costs a month, from its blueprint."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.plan import estimate_costs
from sre_agent_deploy.costs import Estimate

ROOT = Path(__file__).parents[2]


@pytest.fixture
def estimated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    """Estimate the production example with changed settings."""

    def estimate(**settings: str) -> Estimate:
        for name, value in {"AWS_ACCOUNT_ID": "123456789012", **settings}.items():
            monkeypatch.setenv(name, value)
        return estimate_costs(Request(ROOT / "examples/production.yaml", "production", tmp_path / "state"))

    return estimate


def month(estimate: Estimate, what: str) -> float:
    return round(sum(line.usd for line in estimate.lines if line.what.startswith(what)), 2)


def test_the_production_example(estimated) -> None:  # type: ignore[no-untyped-def]
    """Each line is the price by hand: 730 hours of the machine, its disk and its address, four secrets; app clients cost nothing."""
    found = estimated()
    assert {what: month(found, what) for what in ("EC2", "EBS", "public", "secret", "Cognito", "alarm", "custom")} == {
        "EC2": 121.47,  # 730 x 0.1664
        "EBS": 4.00,  # 50 x 0.08
        "public": 3.65,  # 730 x 0.005
        "secret": 1.60,  # 4 x 0.40
        "Cognito": 0.00,  # tokens alone are charged
        "alarm": 0.00,  # there is no recipient
        "custom": 0.30,  # the certificate's days
    }
    assert found.month == pytest.approx(sum(line.usd for line in found.lines))
    assert found.hours(73, machines=2) == pytest.approx(found.month / 5)
    assert not found.unknown


def test_what_the_configuration_asks_for(estimated) -> None:  # type: ignore[no-untyped-def]
    """Monitoring is charged, what exists already is not, and a type without a price is named instead of guessed."""
    asked = {"SRE_AGENT__MONITORING__OUTSIDE_CHECK": "true", "SRE_AGENT__ALERTS__EMAIL": "team@example.com"}
    assert [month(estimated(**asked), what) for what in ("health check", "alarm")] == [1.50, 1.00]
    watched = estimated(SRE_AGENT__ALERTS__EMAIL="team@example.com", SRE_AGENT__MONITORING__OUTSIDE_CHECK="false")
    assert [month(watched, what) for what in ("alarm", "custom", "dashboard")] == [0.90, 5.10, 3.00]
    network = {"SRE_AGENT__AWS__NETWORK": "create", "SRE_AGENT__AWS__AVAILABILITY_ZONE": "us-east-1a"}
    # Of S3's endpoint nothing; of seven others 730 x 0.01 in the one zone.
    free, full = (month(estimated(**network, SRE_AGENT__AWS__ENDPOINTS=chosen), "interface") for chosen in ("s3", "all"))
    assert (free, full) == (0.0, 51.10)
    assert [use.what for use in estimated(SRE_AGENT__ASSISTANT__SESSION_STORE="dynamodb").usage if use.what == "DynamoDB"] == ["DynamoDB"]
    unknown = estimated(SRE_AGENT__DEPLOYMENT__INSTANCE_TYPE="x1e.32xlarge")
    assert month(unknown, "EC2") == 0
    assert unknown.unknown == ("the price of x1e.32xlarge",)
    assert not [use for use in estimated(SRE_AGENT__ASSISTANT__REASONER="rules").usage if "model" in use.what]
