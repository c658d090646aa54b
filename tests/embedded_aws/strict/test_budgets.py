"""Budgets as strict as AWS: what moto lacks or lets pass, over the wire."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws

ACTUAL: dict[str, Any] = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
TEAM = {"SubscriptionType": "EMAIL", "Address": "team@example.com"}
BOSS = {"SubscriptionType": "EMAIL", "Address": "boss@example.com"}


class Budgets:
    """One budget in the account, and the client that made it."""

    def __init__(self, embedded: EmbeddedAws) -> None:
        self.client = embedded.client("budgets")
        self.account = embedded.account_id
        self.name = f"budget-{uuid.uuid4().hex[:10]}"
        self.whole = {
            "BudgetName": self.name,
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "50", "Unit": "USD"},
            "CostFilters": {"TagKeyValue": ["user:team$sre"]},
        }
        self.make()

    @property
    def place(self) -> dict[str, str]:
        return {"AccountId": self.account, "BudgetName": self.name}

    @property
    def arn(self) -> str:
        return f"arn:aws:budgets::{self.account}:budget/{self.name}"

    def make(self, notifications: Any = ({"Notification": ACTUAL, "Subscribers": [TEAM]},), **changed: Any) -> None:
        tags = [{"Key": "team", "Value": "sre"}]
        budget = {**self.whole, **changed}
        self.client.create_budget(
            AccountId=self.account, Budget=budget, NotificationsWithSubscribers=list(notifications), ResourceTags=tags
        )

    def shown(self) -> Any:
        return self.client.describe_budget(**self.place)["Budget"]

    def notifications(self) -> Any:
        return self.client.describe_notifications_for_budget(**self.place)["Notifications"]

    def subscribers(self) -> Any:
        return self.client.describe_subscribers_for_notification(**self.place, Notification=ACTUAL)["Subscribers"]


@pytest.fixture
def budgets(embedded: EmbeddedAws) -> Budgets:
    return Budgets(embedded)


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_what_was_made_is_shown(budgets: Budgets) -> None:
    """Amounts have a decimal point, the usual threshold type is left out, and notifications tell their state."""
    assert budgets.shown()["BudgetLimit"] == {"Amount": "50.0", "Unit": "USD"}
    assert budgets.shown()["CostFilters"] == {"TagKeyValue": ["user:team$sre"]}
    assert budgets.notifications() == [{**ACTUAL, "NotificationState": "OK"}]
    assert budgets.subscribers() == [TEAM]


def test_a_name_is_unique(budgets: Budgets) -> None:
    """A second budget of the same name is refused, and the first stays as it was."""
    with refused("DuplicateRecordException"):
        budgets.make(BudgetLimit={"Amount": "70", "Unit": "USD"})
    assert budgets.shown()["BudgetLimit"]["Amount"] == "50.0"


def test_another_account(budgets: Budgets) -> None:
    """A caller sees and makes budgets of its own account only."""
    with refused("AccessDeniedException"):
        budgets.client.describe_budgets(AccountId="210987654321")
    with refused("AccessDeniedException"):
        budgets.client.create_budget(AccountId="210987654321", Budget=budgets.whole)


@pytest.mark.parametrize(
    "changed",
    [
        {"BudgetName": "a:b"},
        {"BudgetName": "x" * 101},
        {"BudgetName": "a/action/b"},
        {"BudgetType": "MONEY"},
        {"TimeUnit": "WEEKLY"},
        {"BudgetLimit": {"Amount": "50 USD", "Unit": "USD"}},
        {"BudgetLimit": {"Amount": "-1", "Unit": "USD"}},
    ],
    ids=str,
)
def test_a_value_that_aws_refuses(budgets: Budgets, changed: dict[str, Any]) -> None:
    """Names, types and amounts are checked, and nothing is made."""
    other = {"BudgetName": f"{budgets.name}-other", **changed}
    with refused("InvalidParameterException"):
        budgets.make(**other)


def test_an_update(budgets: Budgets) -> None:
    """It replaces the budget, and leaves notifications and tags; a budget that is not there is not made by it."""
    without_filter = {key: value for key, value in budgets.whole.items() if key != "CostFilters"}
    budgets.client.update_budget(AccountId=budgets.account, NewBudget={**without_filter, "BudgetLimit": {"Amount": "70.5", "Unit": "USD"}})
    assert budgets.shown()["BudgetLimit"]["Amount"] == "70.5"
    assert "CostFilters" not in budgets.shown()
    assert len(budgets.notifications()) == 1
    assert budgets.client.list_tags_for_resource(ResourceARN=budgets.arn)["ResourceTags"]
    with refused("NotFoundException"):
        budgets.client.update_budget(AccountId=budgets.account, NewBudget={**budgets.whole, "BudgetName": f"{budgets.name}-none"})


def test_notifications_one_by_one(budgets: Budgets) -> None:
    """No two are alike, ten are the most, and one that is not there can't be deleted."""
    with refused("DuplicateRecordException"):
        budgets.client.create_notification(**budgets.place, Notification={**ACTUAL, "ThresholdType": "PERCENTAGE"}, Subscribers=[BOSS])
    for threshold in range(1, 10):
        budgets.client.create_notification(**budgets.place, Notification={**ACTUAL, "Threshold": threshold}, Subscribers=[TEAM])
    with refused("CreationLimitExceededException"):
        budgets.client.create_notification(**budgets.place, Notification={**ACTUAL, "Threshold": 99}, Subscribers=[TEAM])
    budgets.client.delete_notification(**budgets.place, Notification=ACTUAL)
    assert len(budgets.notifications()) == 9
    with refused("NotFoundException"):
        budgets.client.delete_notification(**budgets.place, Notification=ACTUAL)


def test_a_notification_that_aws_refuses(budgets: Budgets) -> None:
    """Its type and the kind of its subscribers are ones that there are."""
    other = {**ACTUAL, "Threshold": 90.0}
    with refused("InvalidParameterException"):
        budgets.client.create_notification(**budgets.place, Notification=other, Subscribers=[{"SubscriptionType": "FAX", "Address": "1"}])
    with refused("InvalidParameterException"):
        budgets.client.create_notification(**budgets.place, Notification={**other, "NotificationType": "GUESSED"}, Subscribers=[TEAM])


def test_subscribers_one_by_one(budgets: Budgets) -> None:
    """They come and go; with the last one the notification goes."""
    budgets.client.create_subscriber(**budgets.place, Notification=ACTUAL, Subscriber=BOSS)
    assert budgets.subscribers() == [TEAM, BOSS]
    with refused("DuplicateRecordException"):
        budgets.client.create_subscriber(**budgets.place, Notification=ACTUAL, Subscriber=BOSS)
    for subscriber in (TEAM, BOSS):
        budgets.client.delete_subscriber(**budgets.place, Notification=ACTUAL, Subscriber=subscriber)
    assert budgets.notifications() == []


def test_eleven_addresses(budgets: Budgets) -> None:
    """A notification is mailed to ten at most."""
    for number in range(9):
        someone = {"SubscriptionType": "EMAIL", "Address": f"{number}@example.com"}
        budgets.client.create_subscriber(**budgets.place, Notification=ACTUAL, Subscriber=someone)
    with refused("CreationLimitExceededException"):
        budgets.client.create_subscriber(**budgets.place, Notification=ACTUAL, Subscriber=BOSS)


def test_tags(budgets: Budgets) -> None:
    """Those of the creation are kept; tags can be added and removed; another account's ARN is refused."""
    client = budgets.client
    client.tag_resource(ResourceARN=budgets.arn, ResourceTags=[{"Key": "stage", "Value": "prod"}])
    client.untag_resource(ResourceARN=budgets.arn, ResourceTagKeys=["team"])
    assert client.list_tags_for_resource(ResourceARN=budgets.arn)["ResourceTags"] == [{"Key": "stage", "Value": "prod"}]
    with refused("NotFoundException"):
        client.list_tags_for_resource(ResourceARN=f"{budgets.arn}-none")
    with refused("InvalidParameterException"):
        client.list_tags_for_resource(ResourceARN=budgets.arn.replace(budgets.account, "210987654321"))


def test_a_deleted_budget(budgets: Budgets) -> None:
    """Notifications, subscribers and tags go with it, and nothing of it is shown."""
    budgets.client.delete_budget(**budgets.place)
    for look in (budgets.shown, budgets.notifications, budgets.subscribers):
        with refused("NotFoundException"):
            look()
    with refused("NotFoundException"):
        budgets.client.delete_budget(**budgets.place)
    budgets.make(notifications=())
    assert budgets.notifications() == []


def test_any_region_reaches_the_same_budgets(budgets: Budgets, embedded: EmbeddedAws) -> None:
    """The service is global: clients of every region see what there is."""
    elsewhere = embedded.client("budgets", region_name="eu-central-1")
    assert elsewhere.describe_budget(**budgets.place)["Budget"]["BudgetName"] == budgets.name


def test_cost_allocation_tags(embedded: EmbeddedAws) -> None:
    """A tag is known once a resource has it, among however many others; only then can it be activated, and it stays known."""
    costs, ec2 = embedded.client("ce"), embedded.client("ec2")

    def activate() -> list[str]:
        wanted = [{"TagKey": "counted-for", "Status": "Active"}]
        return [error["Code"] for error in costs.update_cost_allocation_tags_status(CostAllocationTagsStatus=wanted)["Errors"]]

    assert activate() == ["TagKeysNotFoundException"]
    assert costs.list_cost_allocation_tags(TagKeys=["counted-for"])["CostAllocationTags"] == []
    volumes = [ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"] for _ in range(4)]
    for number, volume in enumerate(volumes[:-1]):
        ec2.create_tags(Resources=[volume], Tags=[{"Key": f"another-{number}-{key}", "Value": "test"} for key in range(50)])
    ec2.create_tags(Resources=volumes[-1:], Tags=[{"Key": "counted-for", "Value": "test"}])
    assert activate() == []
    for volume in volumes:
        ec2.delete_volume(VolumeId=volume)
    [shown] = costs.list_cost_allocation_tags(TagKeys=["counted-for"], Status="Active")["CostAllocationTags"]
    assert shown == {"TagKey": "counted-for", "Type": "UserDefined", "Status": "Active"}
