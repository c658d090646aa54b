"""AWS Budgets: ownership, valid values, notifications, subscribers and tags."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from embedded_aws.strict.patching import add, patch, replace

_NAME = re.compile(r"(?!.*/action/)[^:\\]{1,100}")
_AMOUNT = re.compile(r"([0-9]*\.)?[0-9]+")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}")
_TYPES = ("USAGE", "COST", "RI_UTILIZATION", "RI_COVERAGE", "SAVINGS_PLANS_UTILIZATION", "SAVINGS_PLANS_COVERAGE")
_UNITS = ("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY", "CUSTOM")


def require_own_account() -> None:
    """Require the account of the caller as AccountId; moto keeps budgets for any.

    https://docs.aws.amazon.com/cost-management/latest/userguide/billing-permissions-ref.html
    """
    from moto.budgets.models import budgets_backends
    from moto.budgets.responses import BudgetsResponse

    def backend(self: Any) -> Any:
        if self._get_param("AccountId", self.current_account) != self.current_account:
            raise refusal("AccessDeniedException", "You are not authorized to use this operation with the given parameters.")
        return budgets_backends[self.current_account][self.partition]

    replace(BudgetsResponse, "backend", property(backend))


def validate_budgets() -> None:
    """Check name, type, time unit and amount against the model of the API; botocore sends any values and moto keeps them.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
    """
    from moto.budgets.models import Budget

    @patch(Budget, "__init__")
    def __init__(original: Any, self: Any, budget: Mapping[str, Any], notifications: Any) -> None:  # noqa: N807  # it is one
        _validate_budget(budget)
        original(self, dict(budget), notifications)


def show_decimal_amounts() -> None:
    """Show a limit of `50` as `50.0`: a comparison of texts would see a difference.

    https://docs.aws.amazon.com/cli/latest/reference/budgets/describe-budgets.html#examples
    """
    from moto.budgets.models import Budget

    @patch(Budget, "to_dict")
    def to_dict(original: Any, self: Any) -> dict[str, Any]:
        shown: dict[str, Any] = original(self)
        limit = shown.get("BudgetLimit", {})
        if limit and "." not in limit["Amount"]:
            limit["Amount"] += ".0"
        return shown


def add_update_budget() -> None:
    """Add UpdateBudget, which moto lacks: it replaces everything but the name; notifications and tags stay.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_UpdateBudget.html
    """
    from moto.budgets.models import Budget
    from moto.budgets.responses import BudgetsResponse

    def update_budget(self: Any) -> str:
        wanted = self._get_param("NewBudget")
        known = find_budget(self.backend, self.current_account, wanted["BudgetName"])
        known.budget = Budget(wanted, []).budget
        return "{}"

    add(BudgetsResponse, "update_budget", update_budget)


def find_budget(backend: Any, account_id: str, name: str) -> Any:
    """Return the budget of this name. Raises NotFoundException."""
    budget = backend.budgets[account_id].get(name)
    if budget is None:
        raise refusal("NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")
    return budget


def refusal(code: str, message: str) -> Exception:
    """Create one of the errors of the API."""
    from moto.core.exceptions import JsonRESTError

    return JsonRESTError(code, message)


def invalid_value(place: str, rule: str) -> Exception:
    """Create the error for a value that the model does not allow."""
    return refusal("InvalidParameterException", f"1 validation error detected: Value at '{place}' failed to satisfy constraint: {rule}")


def _validate_budget(budget: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(budget.get("BudgetName", "")):
        raise invalid_value("budget.budgetName", f"Member must satisfy regular expression pattern: {_NAME.pattern}")
    for field, allowed in (("BudgetType", _TYPES), ("TimeUnit", _UNITS)):
        if budget.get(field) not in allowed:
            raise invalid_value(f"budget.{field}", f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    limit = budget.get("BudgetLimit")
    if limit and not _AMOUNT.fullmatch(limit["Amount"]):
        raise invalid_value("budget.budgetLimit.amount", f"Member must satisfy regular expression pattern: {_AMOUNT.pattern}")


MOST_NOTIFICATIONS = 10
_MOST_SUBSCRIBERS = {"EMAIL": 10, "SNS": 1}
_ENUMS = {
    "NotificationType": ("ACTUAL", "FORECASTED"),
    "ComparisonOperator": ("GREATER_THAN", "LESS_THAN", "EQUAL_TO"),
    "ThresholdType": ("PERCENTAGE", "ABSOLUTE_VALUE"),
}


def validate_notifications() -> None:
    """Allow at most ten different notifications, each with 1-10 e-mail addresses and at most one SNS topic, which Budgets may publish to.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
    """
    from moto.budgets.models import Budget

    @patch(Budget, "__init__")
    def __init__(original: Any, self: Any, budget: Any, notifications: Sequence[Mapping[str, Any]]) -> None:  # noqa: N807  # it is one
        original(self, budget, [])
        for each in notifications:
            self.add_notification(each["Notification"], each["Subscribers"])

    @patch(Budget, "add_notification")
    def add_notification(original: Any, self: Any, details: dict[str, Any], subscribers: list[dict[str, str]]) -> None:
        _validate_notification(details)
        if any(_is_same(known.details, details) for known in self.notifications):
            raise refusal("DuplicateRecordException", "Unable to create notification - the notification already exists.")
        if len(self.notifications) >= MOST_NOTIFICATIONS:
            raise refusal("CreationLimitExceededException", f"A budget has at most {MOST_NOTIFICATIONS} notifications.")
        _validate_subscribers(subscribers)
        original(self, {"ThresholdType": "PERCENTAGE", **details}, list(subscribers))


def refuse_absent_notifications() -> None:
    """Raise NotFoundException for absent notifications; moto answers 500 or nothing.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DeleteNotification.html
    """
    from moto.budgets.models import Budget, BudgetsBackend

    @patch(BudgetsBackend, "describe_notifications_for_budget")
    def describe_notifications_for_budget(original: Any, self: Any, account_id: str, budget_name: str) -> Any:
        find_budget(self, account_id, budget_name)
        return original(self, account_id, budget_name)

    @patch(Budget, "delete_notification")
    def delete_notification(original: Any, self: Any, details: Mapping[str, Any]) -> None:
        original(self, _find_notification(self, details).details)


def show_notification_states() -> None:
    """Show the state of each notification, and omit the threshold type where it is the default.

    https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/budgets/budget.go (findings with real AWS)
    """
    from moto.budgets.models import Budget

    @patch(Budget, "get_notifications")
    def get_notifications(original: Any, self: Any) -> list[dict[str, Any]]:
        return [_show_notification(details) for details in original(self)]


def add_subscriber_operations() -> None:
    """Add the operations on single subscribers, which moto lacks. A notification is deleted with its last subscriber.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DeleteSubscriber.html
    """
    from moto.budgets.responses import BudgetsResponse

    for operation in (describe_subscribers_for_notification, create_subscriber, delete_subscriber):
        add(BudgetsResponse, operation.__name__, operation)


def describe_subscribers_for_notification(self: Any) -> str:
    return json.dumps({"Subscribers": _notification_of_request(self).subscribers})


def create_subscriber(self: Any) -> str:
    notification, subscriber = _notification_of_request(self), self._get_param("Subscriber")
    if subscriber in notification.subscribers:
        raise refusal("DuplicateRecordException", "Unable to create subscriber - the subscriber already exists.")
    _validate_subscribers([*notification.subscribers, subscriber])
    notification.subscribers.append(subscriber)
    return "{}"


def delete_subscriber(self: Any) -> str:
    notification, subscriber = _notification_of_request(self), self._get_param("Subscriber")
    if subscriber not in notification.subscribers:
        raise refusal("NotFoundException", "Unable to delete subscriber - the subscriber doesn't exist.")
    notification.subscribers.remove(subscriber)
    if not notification.subscribers:
        _budget_of_request(self).delete_notification(notification.details)
    return "{}"


def _budget_of_request(response: Any) -> Any:
    return find_budget(response.backend, response.current_account, response._get_param("BudgetName"))


def _notification_of_request(response: Any) -> Any:
    return _find_notification(_budget_of_request(response), response._get_param("Notification"))


def _find_notification(budget: Any, details: Mapping[str, Any]) -> Any:
    known = next((each for each in budget.notifications if _is_same(each.details, details)), None)
    if known is None:
        raise refusal("NotFoundException", "Unable to get notification - the notification doesn't exist.")
    return known


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _identity_of(one) == _identity_of(other)


def _identity_of(details: Mapping[str, Any]) -> tuple[Any, ...]:
    named = (details.get("NotificationType"), details.get("ComparisonOperator"), details.get("ThresholdType", "PERCENTAGE"))
    return (*named, float(details.get("Threshold", 0)))


def _show_notification(details: Mapping[str, Any]) -> dict[str, Any]:
    usual = ("ThresholdType", "PERCENTAGE")
    return {key: value for key, value in details.items() if (key, value) != usual} | {"NotificationState": "OK"}


def _validate_notification(details: Mapping[str, Any]) -> None:
    for field, allowed in _ENUMS.items():
        if details.get(field, allowed[0]) not in allowed:
            raise invalid_value(f"notification.{field}", f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def _validate_subscribers(subscribers: Sequence[Mapping[str, str]]) -> None:
    if not subscribers:
        raise invalid_value("subscribers", "Member must have length greater than or equal to 1")
    for kind in {each["SubscriptionType"] for each in subscribers}:
        if kind not in _MOST_SUBSCRIBERS:
            raise invalid_value("subscriber.subscriptionType", f"Member must satisfy enum value set: [{', '.join(_MOST_SUBSCRIBERS)}]")
        if sum(each["SubscriptionType"] == kind for each in subscribers) > _MOST_SUBSCRIBERS[kind]:
            raise refusal("CreationLimitExceededException", f"A notification has at most {_MOST_SUBSCRIBERS[kind]} {kind} subscribers.")
    for topic in (each["Address"] for each in subscribers if each["SubscriptionType"] == "SNS"):
        _validate_topic(topic)


def _validate_topic(arn: str) -> None:
    """Require a topic whose policy lets AWS Budgets publish.

    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    """
    from moto.sns.models import sns_backends

    if not _TOPIC.fullmatch(arn):
        raise refusal("InvalidParameterException", "Please comply with SNS topic ARN format.")
    _, _, _, region, account, _ = arn.split(":")
    topic = sns_backends[account][region].topics.get(arn)
    allowed = [each for each in json.loads(topic.policy)["Statement"] if each["Effect"] == "Allow"] if topic else []
    if not any("budgets.amazonaws.com" in str(each["Principal"]) for each in allowed):
        raise refusal("InvalidParameterException", f"AWS Budgets may not publish to the topic {arn}.")


def add_tag_operations() -> None:
    """Keep the tags of CreateBudget, and add TagResource, UntagResource and ListTagsForResource; moto has none of it.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_ListTagsForResource.html
    """
    from moto.budgets.responses import BudgetsResponse

    @patch(BudgetsResponse, "create_budget")
    def create_budget(original: Any, self: Any) -> str:
        answer: str = original(self)
        made = find_budget(self.backend, self.current_account, self._get_param("Budget")["BudgetName"])
        made.tags = {tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags", [])}
        return answer

    for operation in (list_tags_for_resource, tag_resource, untag_resource):
        add(BudgetsResponse, operation.__name__, operation)


def list_tags_for_resource(self: Any) -> str:
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _tags_of_request(self).items()]})


def tag_resource(self: Any) -> str:
    _tags_of_request(self).update({tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags")})
    return "{}"


def untag_resource(self: Any) -> str:
    for key in self._get_param("ResourceTagKeys"):
        _tags_of_request(self).pop(key, None)
    return "{}"


def _tags_of_request(response: Any) -> dict[str, str]:
    arn = response._get_param("ResourceARN")
    own = f"arn:{response.partition}:budgets::{response.current_account}:budget/"
    if not arn.startswith(own):
        raise refusal("InvalidParameterException", f"{arn} is not the ARN of a budget of this account.")
    tags: dict[str, str] = find_budget(response.backend, response.current_account, arn.removeprefix(own)).tags
    return tags
