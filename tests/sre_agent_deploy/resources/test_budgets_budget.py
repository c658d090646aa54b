"""The budget: one of its name, with exactly the notifications that were declared, said in as few calls as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resources.budgets_budget import Budget, Notification
from sre_agent_deploy.resources.sns_topic import SnsTopic

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused

TEAM = "team@example.com"


@pytest.fixture
def budget(deployment: str) -> Budget:
    return Budget(
        name="budget",
        budget_name=f"{deployment}-monthly",
        limit_amount="50",
        tag_key_value=f"user:sre-agent:deployment-id${deployment}",
        notifications=(
            Notification(notification_type="FORECASTED", threshold=100, email=TEAM),
            Notification(notification_type="ACTUAL", threshold=80, email=TEAM),
        ),
    )


@contextmanager
def said(aws: Aws) -> Iterator[list[str]]:
    """The changing calls that are made meanwhile."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.extend(() if model.name.startswith(("Describe", "List")) else (model.name,))

    aws.client("budgets").meta.events.register("before-call", note)
    yield calls
    aws.client("budgets").meta.events.unregister("before-call", note)


def place(aws: Aws, budget: Budget) -> dict[str, str]:
    return {"AccountId": aws.account_id, "BudgetName": budget.budget_name}


def test_a_budget_from_creation_to_deletion(aws: Aws, marked: Marked, budget: Budget) -> None:
    """It is made whole in one call, and takes its notifications along when it goes."""
    with said(aws) as calls:
        check_life_cycle(aws, budget, marked("budget"))
    assert calls == ["CreateBudget", "DeleteBudget"]


def test_another_limit(aws: Aws, marked: Marked, deployment: str, budget: Budget) -> None:
    """It takes one call, after which nothing differs; a limit that is only written otherwise takes none."""
    id = create(aws, budget, marked("budget"))
    with said(aws) as calls:
        configure(aws, replace(budget, limit_amount="70.50"), id)
        assert drift(aws, replace(budget, limit_amount="70.5"), id) == ()
        configure(aws, replace(budget, limit_amount="70.5"), id)
    assert calls == ["UpdateBudget"]
    assert read(aws, budget, id).owner(deployment) == "us"


def test_a_budget_that_differs(aws: Aws, marked: Marked, budget: Budget) -> None:
    """Amount, period, filter and notifications are put right."""
    id = create(aws, budget, marked("budget"))
    check_repair(aws, budget, id, limit_amount="1000")
    check_repair(aws, budget, id, time_unit="QUARTERLY")
    check_repair(aws, budget, id, tag_key_value="user:team$sre")
    check_repair(aws, budget, id, notifications=budget.notifications[:1])


def test_a_filter_that_was_changed_by_hand(aws: Aws, marked: Marked, budget: Budget) -> None:
    """A budget that counts more, less or nothing at all by its filter is seen to differ."""
    id = create(aws, budget, marked("budget"))
    settings = {"BudgetName": id, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": "50", "Unit": "USD"}}
    for filters in ({}, {"Service": ["Amazon EC2"]}, {"TagKeyValue": [budget.tag_key_value, "user:team$sre"]}):
        aws.client("budgets").update_budget(AccountId=aws.account_id, NewBudget={**settings, "CostFilters": filters})
        assert [entry.field for entry in drift(aws, budget, id)] == ["tag_key_value"]
        configure(aws, budget, id)
        assert drift(aws, budget, id) == ()


def test_another_address(aws: Aws, marked: Marked, budget: Budget) -> None:
    """Addresses that are not declared get no more mails, and those that are declared get them."""
    id = create(aws, budget, marked("budget"))
    other = replace(budget, notifications=tuple(replace(each, email="new@example.com") for each in budget.notifications))
    configure(aws, other, id)
    assert {each.email for each in read(aws, budget, id).seen.notifications} == {"new@example.com"}


def test_an_address_that_was_added_by_hand(aws: Aws, marked: Marked, budget: Budget) -> None:
    """It is seen, and taken away again; only that notification is touched."""
    id = create(aws, budget, marked("budget"))
    someone = {"SubscriptionType": "EMAIL", "Address": "a@example.com"}
    aws.client("budgets").create_subscriber(**place(aws, budget), Notification=budget.notifications[0].key(), Subscriber=someone)
    assert read(aws, budget, id).seen.notifications[0].email == f"a@example.com, {TEAM}"
    with said(aws) as calls:
        configure(aws, budget, id)
    assert calls == ["DeleteNotification", "CreateNotification"]
    assert drift(aws, budget, id) == ()


def test_a_topic_beside_the_address(aws: Aws, marked: Marked, budget: Budget, deployment: str) -> None:
    """It is refused while its policy does not let AWS Budgets publish; then it gets each notification, and is put back."""
    arn = f"arn:aws:sns:{aws.region}:{aws.account_id}:{deployment}-alerts"
    topic = SnsTopic(name="alerts_topic", topic_arn=arn, display_name="alerts")
    declared = replace(budget, notifications=tuple(replace(each, topic_arn=arn) for each in budget.notifications))
    create(aws, topic, marked("alerts_topic"))
    topic.configure(aws, arn)
    assert refused(aws, declared, marked("budget")).code == "BUDGET-REFUSED"
    replace(topic, budgets=True).configure(aws, arn)
    assert [entry.field for entry in drift(aws, topic, arn)] == ["budgets"]
    id = create(aws, declared, marked("budget"))
    assert drift(aws, declared, id) == ()
    check_repair(aws, declared, id, notifications=budget.notifications)
    delete(aws, declared, id, deployment)
    delete(aws, topic, arn, deployment)


def test_a_budget_full_of_notifications(aws: Aws, marked: Marked, budget: Budget) -> None:
    """Undeclared notifications are deleted first, so that there is room for the declared ones."""
    id = create(aws, budget, marked("budget"))
    for each in budget.notifications:
        aws.client("budgets").delete_notification(**place(aws, budget), Notification=each.key())
    for threshold in range(1, 11):
        other = replace(budget.notifications[0], threshold=threshold)
        aws.client("budgets").create_notification(**place(aws, budget), Notification=other.key(), Subscribers=other.subscribers())
    configure(aws, budget, id)
    assert drift(aws, budget, id) == ()


def test_a_budget_of_another_owner(aws: Aws, marked: Marked, deployment: str, budget: Budget) -> None:
    """Its name is taken: it shows as foreign before anything is created, and a creation is refused."""
    someone = replace(marked("budget"), deployment="sre-of-somebody-else")
    id = create(aws, budget, someone)
    assert read(aws, budget, budget.natural_id(aws)).owner(deployment) == "stranger"
    assert Budget.owned(aws, deployment) == ()
    assert refused(aws, budget, marked("budget")).code == "BUDGET-NAME-TAKEN"
    delete(aws, budget, id, "sre-of-somebody-else")


def test_what_aws_does_not_accept(aws: Aws, marked: Marked, budget: Budget) -> None:
    """It is a Problem that names the settings."""
    problem = refused(aws, replace(budget, limit_amount="a lot"), marked("budget"))
    assert problem.code == "BUDGET-REFUSED"
    assert "limits.monthly_usd" in problem.do[0]


def test_a_budget_that_is_gone(aws: Aws, marked: Marked, deployment: str, budget: Budget) -> None:
    """It reads as nothing, and deleting it again is no failure."""
    id = create(aws, budget, marked("budget"))
    delete(aws, budget, id, deployment)
    Budget.delete(aws, id)
    assert Budget.read(aws, id, "budget") is None


def test_where_there_are_no_budgets(budget: Budget) -> None:
    """GovCloud has no AWS Budgets and China no dollars: nothing is read there, so that nothing blocks a cleanup."""
    assert [Budget.owned(Aws(region=region, account_id="123456789012"), "sre-0") for region in ("us-gov-west-1", "cn-north-1")] == [(), ()]
