"""The notifications of budgets, and who is told by them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from embedded_aws.strict.budgets import found, invalid, refusal
from embedded_aws.strict.replacing import put, replacing

MOST_NOTIFICATIONS = 10
_MOST_SUBSCRIBERS = {"EMAIL": 10, "SNS": 1}
_ENUMS = {
    "NotificationType": ("ACTUAL", "FORECASTED"),
    "ComparisonOperator": ("GREATER_THAN", "LESS_THAN", "EQUAL_TO"),
    "ThresholdType": ("PERCENTAGE", "ABSOLUTE_VALUE"),
}


def checked() -> None:
    """A budget has at most ten notifications, no two alike, each with 1-10 e-mail addresses and at most one SNS topic.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
    """
    from moto.budgets.models import Budget

    @replacing(Budget, "__init__")
    def __init__(original: Any, self: Any, budget: Any, notifications: Sequence[Mapping[str, Any]]) -> None:  # noqa: N807  # it is one
        original(self, budget, [])
        for each in notifications:
            self.add_notification(each["Notification"], each["Subscribers"])

    @replacing(Budget, "add_notification")
    def add_notification(original: Any, self: Any, details: dict[str, Any], subscribers: list[dict[str, str]]) -> None:
        _check(details)
        if any(_same(known.details, details) for known in self.notifications):
            raise refusal("DuplicateRecordException", "Unable to create notification - the notification already exists.")
        if len(self.notifications) >= MOST_NOTIFICATIONS:
            raise refusal("CreationLimitExceededException", f"A budget has at most {MOST_NOTIFICATIONS} notifications.")
        _check_subscribers(subscribers)
        original(self, {"ThresholdType": "PERCENTAGE", **details}, list(subscribers))


def absent_ones_are_told() -> None:
    """Whoever asks for, or deletes, what is not there gets NotFoundException; moto answers 500 or nothing.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DeleteNotification.html
    """
    from moto.budgets.models import Budget, BudgetsBackend

    @replacing(BudgetsBackend, "describe_notifications_for_budget")
    def describe_notifications_for_budget(original: Any, self: Any, account_id: str, budget_name: str) -> Any:
        found(self, account_id, budget_name)
        return original(self, account_id, budget_name)

    @replacing(Budget, "delete_notification")
    def delete_notification(original: Any, self: Any, details: Mapping[str, Any]) -> None:
        original(self, _notification(self, details).details)


def shown_with_their_state() -> None:
    """DescribeNotificationsForBudget tells each state, and leaves out the threshold type where it is the usual one.

    https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/budgets/budget.go (findings with real AWS)
    """
    from moto.budgets.models import Budget

    @replacing(Budget, "get_notifications")
    def get_notifications(original: Any, self: Any) -> list[dict[str, Any]]:
        return [_shown(details) for details in original(self)]


def subscribers_complete() -> None:
    """Subscribers one by one, which moto lacks. Without its last subscriber a notification is gone.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DeleteSubscriber.html
    """
    from moto.budgets.responses import BudgetsResponse

    for operation in (describe_subscribers_for_notification, create_subscriber, delete_subscriber):
        put(BudgetsResponse, operation.__name__, operation)


def describe_subscribers_for_notification(self: Any) -> str:
    return json.dumps({"Subscribers": _asked(self).subscribers})


def create_subscriber(self: Any) -> str:
    notification, subscriber = _asked(self), self._get_param("Subscriber")
    if subscriber in notification.subscribers:
        raise refusal("DuplicateRecordException", "Unable to create subscriber - the subscriber already exists.")
    _check_subscribers([*notification.subscribers, subscriber])
    notification.subscribers.append(subscriber)
    return "{}"


def delete_subscriber(self: Any) -> str:
    notification, subscriber = _asked(self), self._get_param("Subscriber")
    if subscriber not in notification.subscribers:
        raise refusal("NotFoundException", "Unable to delete subscriber - the subscriber doesn't exist.")
    notification.subscribers.remove(subscriber)
    if not notification.subscribers:
        _budget(self).delete_notification(notification.details)
    return "{}"


def _budget(response: Any) -> Any:
    return found(response.backend, response.current_account, response._get_param("BudgetName"))


def _asked(response: Any) -> Any:
    return _notification(_budget(response), response._get_param("Notification"))


def _notification(budget: Any, details: Mapping[str, Any]) -> Any:
    known = next((each for each in budget.notifications if _same(each.details, details)), None)
    if known is None:
        raise refusal("NotFoundException", "Unable to get notification - the notification doesn't exist.")
    return known


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _identity(one) == _identity(other)


def _identity(details: Mapping[str, Any]) -> tuple[Any, ...]:
    named = (details.get("NotificationType"), details.get("ComparisonOperator"), details.get("ThresholdType", "PERCENTAGE"))
    return (*named, float(details.get("Threshold", 0)))


def _shown(details: Mapping[str, Any]) -> dict[str, Any]:
    usual = ("ThresholdType", "PERCENTAGE")
    return {key: value for key, value in details.items() if (key, value) != usual} | {"NotificationState": "OK"}


def _check(details: Mapping[str, Any]) -> None:
    for field, allowed in _ENUMS.items():
        if details.get(field, allowed[0]) not in allowed:
            raise invalid(f"notification.{field}", f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def _check_subscribers(subscribers: Sequence[Mapping[str, str]]) -> None:
    if not subscribers:
        raise invalid("subscribers", "Member must have length greater than or equal to 1")
    for kind in {each["SubscriptionType"] for each in subscribers}:
        if kind not in _MOST_SUBSCRIBERS:
            raise invalid("subscriber.subscriptionType", f"Member must satisfy enum value set: [{', '.join(_MOST_SUBSCRIBERS)}]")
        if sum(each["SubscriptionType"] == kind for each in subscribers) > _MOST_SUBSCRIBERS[kind]:
            raise refusal("CreationLimitExceededException", f"A notification has at most {_MOST_SUBSCRIBERS[kind]} {kind} subscribers.")
