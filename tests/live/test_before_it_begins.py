"""`make test-aws` refuses wrong settings and shows its cost before it touches an account; its report is complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from behaviours import certificates, lister
from behaviours.command_line import ROOT
from fixtures.embedded import EmbeddedAws
from live.record import Record, Step
from live.settings import Settings, read_settings, refuse_account
from live.spending import activate_tag, ensure_budget
from live.statement import BUDGET, STEPS, Statement, refuse_spending, state_what_it_does
from sre_core.problem import Problem

ACCOUNT = "111122223333"
COMPLETE = {
    "SRE_LIVE_ACCOUNTS": f"{ACCOUNT}, 444455556666",
    "SRE_LIVE_DOMAIN": "live.example.com",
    "SRE_LIVE_HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJ",
    "SRE_LIVE_EMAIL": "team@example.com",
    "SRE_LIVE_USD": "20",
}


def settings(**changed: str) -> Settings:
    found = read_settings({**COMPLETE, **changed})
    assert isinstance(found, Settings), found
    return found


@pytest.fixture(scope="module")
def statement(tmp_path_factory: pytest.TempPathFactory) -> Statement:
    folder = tmp_path_factory.mktemp("live")
    certificates.written(folder, "live.example.com")
    return state_what_it_does(settings(), ACCOUNT, folder)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        *(({name: ""}, f"Set {name}") for name in COMPLETE),
        ({"SRE_LIVE_ACCOUNTS": "111122223333 1234"}, "'1234' is no account id"),
        ({"SRE_LIVE_ACCOUNTS": "*"}, "'*' is no account id"),
        *(({"SRE_LIVE_USD": text}, "SRE_LIVE_USD must be an amount above 0") for text in ("-5", "0", "nan", "inf", "much")),
        ({"SRE_LIVE_TTL": "never"}, "SRE_LIVE_TTL must be"),
    ],
)
def test_settings(changed: dict[str, str], said: str) -> None:
    """Nothing has a default that could let a run into an account by accident."""
    found = read_settings({**COMPLETE, **changed})
    assert isinstance(found, Problem)
    assert said in str(found)


def test_accounts() -> None:
    """Only an account that the list names by its whole id is used."""
    assert refuse_account(settings(), "444455556666") is None
    for other in ("999988887777", "11112222333", "", "1111222233334"):
        refused = refuse_account(settings(), other)
        assert refused is not None
        assert refused.code == "LIVE-ACCOUNT-REFUSED"


def test_statement(statement: Statement) -> None:
    """It names account, place, resources, lifetime, budget and cost, and the maximal cost of a run that is killed at once."""
    said = str(statement)
    for part in (ACCOUNT, "Amazon itself", "sre-agent:ttl=6h", "live.example.com", BUDGET, "20.00 USD", "1 EC2::Instance", "Deletes:"):
        assert part in said
    assert statement.settings.deployment(ACCOUNT) in said
    # Two t3.xlarge for the lifetime and the hour until the next sweep, and what else is charged by the month.
    assert 7 * 2 * 0.1664 < statement.most < 7 * 2 * 0.25
    assert 0 < statement.usual < statement.most


def test_spend_limit(statement: Statement) -> None:
    """A run that could pass the limit with what was spent already does not begin."""
    assert refuse_spending(statement, 20 - statement.most - 0.01) is None
    refused = refuse_spending(statement, 20 - statement.most + 0.01)
    assert refused is not None
    assert refused.code == "LIVE-SPEND-LIMIT"


def test_budget_and_tag(embedded: EmbeddedAws) -> None:
    """The budget counts by the tag of the run, another limit changes it, and the tag is active once a resource has it."""
    client, account = embedded.client("budgets"), embedded.account_id
    assert ensure_budget(client, account, settings()) == 0
    assert ensure_budget(client, account, settings(SRE_LIVE_USD="35.50")) == 0
    shown: dict[str, Any] = client.describe_budget(AccountId=account, BudgetName=BUDGET)["Budget"]
    assert float(shown["BudgetLimit"]["Amount"]) == 35.5
    assert shown["CostFilters"] == {"TagKeyValue": ["user:sre-agent-live$yes"]}
    client.delete_budget(AccountId=account, BudgetName=BUDGET)

    assert "up to a day after its first use" in activate_tag(embedded.client("ce"))
    tags = [{"Key": "sre-agent-live", "Value": "yes"}]
    secret = embedded.client("secretsmanager").create_secret(Name="counted-by-the-budget", SecretString="-", Tags=tags)
    assert activate_tag(embedded.client("ce")) == ""
    embedded.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize(
    ("outcomes", "left", "passed"),
    [
        (dict.fromkeys((*STEPS, "sweep"), "passed"), {}, True),
        (dict.fromkeys((*STEPS, "sweep"), "passed"), {"instances": ["i-1"]}, False),
        (dict.fromkeys((*STEPS, "sweep"), "passed"), None, False),
        (dict.fromkeys((*STEPS, "sweep"), "passed") | {"rotate": "failed"}, {}, False),
        (dict.fromkeys(STEPS, "passed"), {}, False),
        ({"sweep": "passed"}, {}, False),
    ],
)
def test_report(statement: Statement, outcomes: dict[str, str], left: dict[str, list[str]] | None, passed: bool, tmp_path: Path) -> None:
    """It says that a run passed only if each step did and a look showed that nothing is left."""
    record = Record(statement, steps=[Step(name, outcome, 1.0) for name, outcome in outcomes.items()], left=left)
    assert record.passed is passed
    text = record.write(tmp_path).read_text()
    assert ("FAILED" in text) is not passed
    assert ("i-1" in text) is bool(left)


def run_it(embedded: EmbeddedAws, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    reached = {
        "PYTHONPATH": str(ROOT / "tests"),
        "AWS_ENDPOINT_URL": embedded.endpoint,
        "AWS_CA_BUNDLE": embedded.ca_file,
        "AWS_ACCESS_KEY_ID": embedded.registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": embedded.registry["secret_access_key"],
    }
    environ = {**os.environ, **COMPLETE, **reached, **changed}
    return subprocess.run(
        [sys.executable, "-m", "live", *words], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_nothing_is_touched_unasked(embedded: EmbeddedAws) -> None:
    """Another account is refused even with --yes, and without a terminal and --yes it says what it would do and ends."""
    before = lister.everything(embedded.client)
    refused = run_it(embedded, "--yes")
    assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
    assert "LIVE-ACCOUNT-REFUSED" in refused.stderr
    unasked = run_it(embedded, SRE_LIVE_ACCOUNTS=embedded.account_id)
    assert unasked.returncode == 2, unasked.stderr
    assert "Costs:" in unasked.stdout
    assert "Nothing was touched" in unasked.stdout
    assert lister.everything(embedded.client) == before
