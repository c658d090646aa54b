"""AWS::Budgets::Budget"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, cfn, tags_of
from sre_core.problem import Problem
from sre_core.regions import BUDGETS_IN_USD, partition_of

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("NotFoundException",)
_READS = ("DescribeBudget", "DescribeBudgets", "DescribeNotificationsForBudget", "DescribeSubscribersForNotification")
_WRITES = ("CreateBudget", "UpdateBudget", "DeleteBudget", "CreateNotification", "DeleteNotification")


@dataclass(frozen=True, order=True, kw_only=True)
class Notification:
    """A mail to one address, and a message to a topic, when the costs, so far or as forecast, pass a share of the limit."""

    notification_type: str
    threshold: float
    email: str
    topic_arn: LaterText = ""
    threshold_type: str = "PERCENTAGE"
    comparison_operator: str = "GREATER_THAN"

    def key(self) -> dict[str, Any]:
        """Return the fields that identify a notification within its budget."""
        return {
            "NotificationType": self.notification_type,
            "ComparisonOperator": self.comparison_operator,
            "Threshold": self.threshold,
            "ThresholdType": self.threshold_type,
        }

    def subscribers(self) -> list[dict[str, Any]]:
        topic = [{"SubscriptionType": "SNS", "Address": self.topic_arn}] if self.topic_arn else []
        return [{"SubscriptionType": "EMAIL", "Address": self.email}, *topic]


@dataclass(frozen=True, kw_only=True)
class Budget(Defaults):
    """Reports by e-mail, and to a topic, when the resources with a tag cost more than planned. It stops nothing."""

    KIND: ClassVar[str] = "AWS::Budgets::Budget"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"budget_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"budget_name", "budget_type"})
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {"CostTypes": "which taxes and credits count; its defaults are AWS's, and it stops nothing"}
    MOST_TAGS: ClassVar[int] = 50
    REGIONAL: ClassVar[bool] = False
    # Only the account that pays can do it or see whether it was done, so this is written and not checked.
    COUNTS_ONCE: ClassVar[str] = (
        f"activate the tag {DEPLOYMENT_TAG} in the account that pays, under Billing and Cost Management > Cost allocation tags "
        "(it is shown there up to 24 hours after its first use)"
    )

    name: str
    budget_name: str
    limit_amount: str
    tag_key_value: str
    notifications: tuple[Notification, ...]
    limit_unit: str = "USD"
    time_unit: str = "MONTHLY"
    budget_type: str = "COST"

    def __post_init__(self) -> None:
        # AWS shows 50 as 50.0, and notifications in an order of its own.
        amount = self.limit_amount.rstrip("0").rstrip(".") if "." in self.limit_amount else self.limit_amount
        object.__setattr__(self, "limit_amount", amount)
        object.__setattr__(self, "notifications", tuple(sorted(self.notifications)))

    def natural_id(self, aws: Aws) -> str:
        return self.budget_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        if partition_of(aws.region) not in BUDGETS_IN_USD:
            return ()
        # A listing shows no tags; our names begin with the deployment id, so only those few are asked for theirs.
        pages = aws.client("budgets").get_paginator("describe_budgets").paginate(AccountId=aws.account_id)
        names = [budget["BudgetName"] for page in pages for budget in page.get("Budgets", ())]
        tagged = [(name, _read_tags(aws, name)) for name in names if name.startswith(deployment)]
        return tuple(Owned.tagged(name, tags) for name, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer: Any = or_none(lambda: aws.client("budgets").describe_budget(AccountId=aws.account_id, BudgetName=id), _GONE)
        if answer is None:
            return None
        budget = answer["Budget"]
        limit = budget.get("BudgetLimit", {})
        seen = cls(
            name=name,
            budget_name=id,
            limit_amount=limit.get("Amount", ""),
            limit_unit=limit.get("Unit", ""),
            time_unit=budget["TimeUnit"],
            budget_type=budget["BudgetType"],
            tag_key_value=_tag_key_value(budget.get("CostFilters", {})),
            notifications=_read_notifications(aws, id),
        )
        return Found(id, seen, tags=_read_tags(aws, id))

    def create(self, aws: Aws, mark: Mark) -> str:
        each = [{"Notification": one.key(), "Subscribers": one.subscribers()} for one in self.notifications]
        aws.client("budgets").create_budget(
            AccountId=aws.account_id, Budget=self._budget(), NotificationsWithSubscribers=each, ResourceTags=mark.tag_list()
        )
        return self.budget_name

    def configure(self, aws: Aws, id: str) -> None:
        scope = {"AccountId": aws.account_id, "BudgetName": id}
        found = type(self).read(aws, id, self.name)
        # No call without a difference: an update sets what was spent back to zero until AWS has counted again.
        if found is None or replace(found.seen, notifications=self.notifications) != self:
            aws.client("budgets").update_budget(AccountId=aws.account_id, NewBudget=self._budget())
        wanted, seen = set(self.notifications), set(found.seen.notifications if found else ())
        for notification in sorted(seen - wanted):
            aws.client("budgets").delete_notification(**scope, Notification=notification.key())
        for notification in sorted(wanted - seen):
            aws.client("budgets").create_notification(**scope, Notification=notification.key(), Subscribers=notification.subscribers())

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = _arn(aws, id)
        if changes.set:
            aws.client("budgets").tag_resource(ResourceARN=arn, ResourceTags=changes.tag_list())
        if changes.remove:
            aws.client("budgets").untag_resource(ResourceARN=arn, ResourceTagKeys=changes.remove)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("budgets").delete_budget(AccountId=aws.account_id, BudgetName=id), _GONE)

    def console(self) -> Steps:
        alerts = tuple(
            f"Add an alert threshold: {one.notification_type}; {one.comparison_operator} {one.threshold:g} ({one.threshold_type}); "
            f"Email recipients: {one.email}{f'; Amazon SNS ARN: {one.topic_arn}' if one.topic_arn else ''}"
            for one in self.notifications
        )
        return (
            f"Billing and Cost Management > Budgets > Create budget > Customize (advanced); Budget type: {self.budget_type}",
            f"Budget name: {self.budget_name}; Period: {self.time_unit}; Recurring; Fixed; {self.limit_amount} {self.limit_unit}",
            f"Budget scope > Filter specific AWS cost dimensions > Add filter; Dimension: Tag; key and value: {self.tag_key_value}",
            *alerts,
            f"So that it counts anything, {self.COUNTS_ONCE}",
        )

    def template(self) -> CfnResource:
        budget = self._budget()
        budget["BudgetLimit"]["Amount"] = float(self.limit_amount)
        each = tuple({"Notification": one.key(), "Subscribers": one.subscribers()} for one in self.notifications)
        return cfn(self.KIND, Budget=budget, NotificationsWithSubscribers=each)

    def _budget(self) -> dict[str, Any]:
        return {
            "BudgetName": self.budget_name,
            "BudgetType": self.budget_type,
            "TimeUnit": self.time_unit,
            "BudgetLimit": {"Amount": self.limit_amount, "Unit": self.limit_unit},
            "CostFilters": {"TagKeyValue": [self.tag_key_value]},
        }

    FAILURES: ClassVar[Failures] = {
        ("CreateBudget", "DuplicateRecordException"): lambda budget: Problem(
            code="BUDGET-NAME-TAKEN",
            what=f"Budget {budget.budget_name} was not created.",
            why="This account has a budget of that name already, and it does not carry this deployment's tag.",
            do=(
                "Delete it if it is a leftover (Billing and Cost Management > Budgets), or set another `name:` for this deployment.",
                "Run the same command again.",
            ),
        ),
        **{
            ("CreateBudget", code): lambda budget: Problem(
                code="BUDGET-QUOTA",
                what=f"Budget {budget.budget_name} was not created.",
                why="This account has as many budgets as its quota allows.",
                do=("Delete unused budgets (Billing and Cost Management > Budgets).", "Run the same command again."),
                aws_docs="https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html",
            )
            for code in ("CreationLimitExceededException", "ServiceQuotaExceededException")
        },
        **{
            (operation, "InvalidParameterException"): lambda budget: Problem(
                code="BUDGET-REFUSED",
                what=f"AWS did not accept the budget {budget.budget_name}.",
                why=f"It does not accept the amount ({budget.limit_amount} {budget.limit_unit} a month), the e-mail address or the topic.",
                do=(
                    "Set limits.monthly_usd to an amount above 0, and alerts.email to one valid address.",
                    "If the topic was changed by hand: `sre-agent-deploy deploy --target alerts_topic` gives it back its policy.",
                    "Run the same command again.",
                ),
            )
            for operation in ("CreateBudget", "UpdateBudget", "CreateNotification")
        },
        **{(operation, "AccessDeniedException"): lambda _: _denied() for operation in (*_READS, *_WRITES)},
    }


def _denied() -> Problem:
    return Problem(
        code="BUDGET-ACCESS-DENIED",
        what="AWS Budgets refused these credentials.",
        why="Their policy lacks budgets:ViewBudget, budgets:ListTagsForResource, budgets:ModifyBudget or budgets:TagResource; "
        "or this account gives IAM users and roles no access to billing information.",
        do=(
            "Allow these actions on the budget's ARN to the identity that you deploy with.",
            "As the root user, see that Account > IAM user and role access to Billing information is activated.",
            "Or leave limits.monthly_usd empty: then there is no budget.",
        ),
        aws_docs="https://docs.aws.amazon.com/cost-management/latest/userguide/control-access-billing.html",
    )


def _arn(aws: Aws, budget_name: str) -> str:
    # AWS Budgets knows budgets by name everywhere but where it speaks of tags, and never shows an ARN.
    return f"arn:{aws.partition}:budgets::{aws.account_id}:budget/{budget_name}"


def _read_tags(aws: Aws, budget_name: str) -> dict[str, str]:
    answer: Any = or_none(lambda: aws.client("budgets").list_tags_for_resource(ResourceARN=_arn(aws, budget_name)), _GONE)
    return tags_of((answer or {}).get("ResourceTags"))


def _read_notifications(aws: Aws, budget_name: str) -> tuple[Notification, ...]:
    scope = {"AccountId": aws.account_id, "BudgetName": budget_name}
    pages = aws.client("budgets").get_paginator("describe_notifications_for_budget").paginate(**scope)
    return tuple(
        _read_notification(aws, scope, shown) for page in or_none(lambda: list(pages), _GONE) or () for shown in page["Notifications"]
    )


def _read_notification(aws: Aws, scope: dict[str, str], shown: dict[str, Any]) -> Notification:
    """Read one notification; several addresses, which we never set, are joined."""
    named = {key: shown[key] for key in ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType") if key in shown}
    answer: Any = or_none(lambda: aws.client("budgets").describe_subscribers_for_notification(**scope, Notification=named), _GONE)
    subscribers = (answer or {}).get("Subscribers", ())

    def addresses(kind: str) -> str:
        return ", ".join(sorted(each["Address"] for each in subscribers if each["SubscriptionType"] == kind))

    return Notification(
        notification_type=named["NotificationType"],
        comparison_operator=named["ComparisonOperator"],
        threshold=named["Threshold"],
        # AWS leaves out the usual one.
        threshold_type=named.get("ThresholdType", "PERCENTAGE"),
        email=addresses("EMAIL"),
        topic_arn=addresses("SNS"),
    )


def _tag_key_value(filters: dict[str, list[str]]) -> str:
    """Read the tag that the budget counts by. Any other filter is shown with its dimension, so that it counts as a difference."""
    if list(filters) == ["TagKeyValue"] and len(filters["TagKeyValue"]) == 1:
        return filters["TagKeyValue"][0]
    return "; ".join(f"{dimension}: {', '.join(values)}" for dimension, values in sorted(filters.items()))
