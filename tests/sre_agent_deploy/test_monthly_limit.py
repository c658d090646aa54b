"""`limits.monthly_usd`: a deployment has one budget or none, after any number of changes and interruptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.cut import MOMENTS, Cut, cut_at, no_mutation, watched
from fixtures.engine import Engine
from sre_agent_deploy.plan import Action
from sre_agent_deploy.resource import DEPLOYMENT_TAG


def limited(engine: Engine, monthly_usd: float, email: str = "team@example.com") -> None:
    """Ask for a budget, and for nothing else that takes long to make."""
    engine.sections = {"limits": {"monthly_usd": monthly_usd}, "alerts": {"email": email}}
    engine.parts = ("backend_key", "budget")


def budgets(engine: Engine) -> list[dict[str, Any]]:
    """The deployment's budgets, by an unfiltered listing."""
    shown = engine.client("budgets").describe_budgets(AccountId=engine.aws.account_id)["Budgets"]
    return [budget for budget in shown if engine.id in str(budget)]


def recipients(engine: Engine) -> list[tuple[str, float, list[str]]]:
    """Return each address with its thresholds, from all notifications."""
    client, place = engine.client("budgets"), {"AccountId": engine.aws.account_id, "BudgetName": engine.id}
    shown = client.describe_notifications_for_budget(**place)["Notifications"]
    known = [{key: value for key, value in each.items() if key != "NotificationState"} for each in shown]
    addresses = [client.describe_subscribers_for_notification(**place, Notification=each)["Subscribers"] for each in known]
    return sorted(
        (each["NotificationType"], each["Threshold"], [one["Address"] for one in found])
        for each, found in zip(known, addresses, strict=True)
    )


def test_what_is_watched(engine: Engine) -> None:
    """The monthly costs of everything with the deployment's tag; three mails report how high they are."""
    limited(engine, 49.9)
    engine.deploy()
    (budget,) = budgets(engine)
    assert budget["BudgetLimit"] == {"Amount": "49.9", "Unit": "USD"}
    assert budget["CostFilters"] == {"TagKeyValue": [f"user:{DEPLOYMENT_TAG}${engine.id}"]}
    team = ["team@example.com"]
    assert recipients(engine) == [("ACTUAL", 80.0, team), ("ACTUAL", 100.0, team), ("FORECASTED", 100.0, team)]


def test_another_limit(engine: Engine) -> None:
    """It takes exactly one call, and then there is nothing left to do."""
    limited(engine, 50)
    engine.deploy()
    limited(engine, 60)
    calls: list[str] = []
    with watched(engine.aws, calls.append):
        engine.deploy()
    assert calls == ["UpdateBudget"]
    with no_mutation(engine.aws):
        engine.apply()


@pytest.mark.parametrize("lost", [False, True])
def test_a_limit_that_is_taken_back(engine: Engine, lost: bool) -> None:
    """The budget goes, and a cleanup takes it along even with the state file lost."""
    limited(engine, 50)
    engine.deploy()
    if lost:
        engine.forget()
        assert not engine.cleanup(lost=True).problems
    else:
        engine.sections, engine.parts = {}, ("backend_key",)
        assert engine.changes() == {"budget": Action.DELETE}
        engine.deploy()
    assert budgets(engine) == []


def test_drift(engine: Engine) -> None:
    """A budget that was changed, emptied or deleted in the Console is found and repaired."""
    limited(engine, 50)
    engine.deploy()
    before, client, account = recipients(engine), engine.client("budgets"), engine.aws.account_id
    (budget,) = budgets(engine)
    known = {key: budget[key] for key in ("BudgetName", "BudgetType", "TimeUnit", "BudgetLimit")}
    client.update_budget(AccountId=account, NewBudget={**known, "BudgetLimit": {"Amount": "5000", "Unit": "USD"}})
    client.delete_notification(
        AccountId=account,
        BudgetName=engine.id,
        Notification={"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0},
    )
    (change,) = [change for change in engine.plan().changes if change.action is Action.UPDATE]
    assert [entry.field for entry in change.differences] == ["limit_amount", "tag_key_value", "notifications"]
    engine.deploy()
    assert recipients(engine) == before
    client.delete_budget(AccountId=account, BudgetName=engine.id)
    assert engine.changes() == {"budget": Action.CREATE}
    engine.deploy()
    assert recipients(engine) == before


@pytest.mark.parametrize("moment", MOMENTS)
def test_cut_short_at_any_call(engine: Engine, moment: str) -> None:
    """After a stop at any call of a creation or a change, the next run ends with one budget that mails the right people."""
    addresses = ("first@example.com", "second@example.com")
    calls: list[str] = []
    limited(engine, 50, addresses[0])
    with pytest.raises(Cut), cut_at(engine.aws, "CreateBudget", moment):
        engine.apply()
    engine.deploy()
    limited(engine, 60, addresses[1])
    with watched(engine.aws, calls.append):
        engine.deploy()
    assert len(calls) == 7
    for nth in range(1, len(calls) + 1):
        limited(engine, 50 + nth % 2, addresses[nth % 2])
        with pytest.raises(Cut), cut_at(engine.aws, nth, moment):
            engine.apply()
        engine.deploy()
        assert [budget["BudgetName"] for budget in budgets(engine)] == [engine.id]
        assert [found for *_, found in recipients(engine)] == [[addresses[nth % 2]]] * 3


@contextmanager
def kept_out_of_billing(engine: Engine) -> Iterator[None]:
    """As in an account that keeps IAM users and roles out of its billing."""

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "DescribeBudgets")

    events = engine.aws.client("budgets").meta.events
    events.register("before-send.budgets", refuse)
    try:
        yield
    finally:
        events.unregister("before-send.budgets", refuse)


def test_a_cleanup_that_may_not_look_at_budgets(engine: Engine) -> None:
    """It is complete where the journal proves that there never was one, and says what it could not look at where nothing does."""
    engine.parts = ("backend_key",)
    engine.deploy()
    with kept_out_of_billing(engine):
        assert not engine.cleanup().problems
        (problem,) = engine.cleanup(lost=True).problems
    assert problem.code == "AWS-ACCESS-DENIED"


def test_a_cleanup_that_may_no_longer_look_at_budgets(engine: Engine) -> None:
    """A budget that the journal tells of is not taken for gone; everything else goes."""
    limited(engine, 50)
    engine.deploy()
    with kept_out_of_billing(engine):
        cleaned = engine.cleanup()
    assert {problem.code for problem in cleaned.problems} == {"AWS-ACCESS-DENIED"}
    assert [entry.name for entry in cleaned.deleted] == ["backend_key"]
    assert len(budgets(engine)) == 1


def test_a_deployment_that_may_not_make_budgets(engine: Engine) -> None:
    """The plan says what to allow, and that there is a way without a budget."""
    limited(engine, 50)
    with kept_out_of_billing(engine):
        (problem,) = engine.plan().problems
    assert problem.code == "BUDGET-ACCESS-DENIED"
    assert "limits.monthly_usd" in problem.do[-1]
