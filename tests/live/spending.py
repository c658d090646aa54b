"""The budget that exists before anything is created, and the tag by which it counts."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from live.settings import TAG, Settings
from live.statement import BUDGET


def ensure_budget(budgets: Any, account_id: str, settings: Settings) -> float:
    """Create the budget of the tests, or set its limit; return what AWS has counted this month."""
    budget = {
        "BudgetName": BUDGET,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": f"{settings.usd:.2f}", "Unit": "USD"},
        "CostFilters": {"TagKeyValue": [f"user:{TAG[0]}${TAG[1]}"]},
    }
    try:
        budgets.create_budget(AccountId=account_id, Budget=budget, NotificationsWithSubscribers=_mails(settings.email))
    except budgets.exceptions.DuplicateRecordException:
        budgets.update_budget(AccountId=account_id, NewBudget=budget)
    shown = budgets.describe_budget(AccountId=account_id, BudgetName=BUDGET)["Budget"]
    return float(shown.get("CalculatedSpend", {}).get("ActualSpend", {}).get("Amount", 0))


def _mails(email: str) -> list[dict[str, Any]]:
    subscribers = [{"SubscriptionType": "EMAIL", "Address": email}]
    levels = [("ACTUAL", 50.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0)]
    return [
        {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": share,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": subscribers,
        }
        for kind, share in levels
    ]


def activate_tag(costs: Any) -> str:
    """Activate the cost allocation tag; return why it is not active yet, or nothing.

    AWS knows a tag up to a day after its first use, and only the account that pays may activate it.
    """
    try:
        answer = costs.update_cost_allocation_tags_status(CostAllocationTagsStatus=[{"TagKey": TAG[0], "Status": "Active"}])
    except ClientError as error:
        return f"{error.response['Error']['Code']}: activate it in the account that pays (Billing > Cost allocation tags)"
    failed = [f"{error['Code']}: AWS knows it up to a day after its first use; the next run activates it" for error in answer["Errors"]]
    return "; ".join(failed)
