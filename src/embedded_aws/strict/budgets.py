"""Budgets: whose they are, what AWS accepts in one, and how it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from embedded_aws.strict.replacing import put, replacing

_NAME = re.compile(r"(?!.*/action/)[^:\\]{1,100}")
_AMOUNT = re.compile(r"([0-9]*\.)?[0-9]+")
_TYPES = ("USAGE", "COST", "RI_UTILIZATION", "RI_COVERAGE", "SAVINGS_PLANS_UTILIZATION", "SAVINGS_PLANS_COVERAGE")
_UNITS = ("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY", "CUSTOM")


def of_ones_own_account() -> None:
    """AccountId must be the caller's own; moto keeps budgets for any.

    https://docs.aws.amazon.com/cost-management/latest/userguide/billing-permissions-ref.html
    """
    from moto.budgets.models import budgets_backends
    from moto.budgets.responses import BudgetsResponse

    def backend(self: Any) -> Any:
        if self._get_param("AccountId", self.current_account) != self.current_account:
            raise refusal("AccessDeniedException", "You are not authorized to use this operation with the given parameters.")
        return budgets_backends[self.current_account][self.partition]

    put(BudgetsResponse, "backend", property(backend))


def values_are_checked() -> None:
    """Name, type, time unit and amount are ones that the API's model allows; botocore sends any and moto keeps them.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
    """
    from moto.budgets.models import Budget

    @replacing(Budget, "__init__")
    def __init__(original: Any, self: Any, budget: Mapping[str, Any], notifications: Any) -> None:  # noqa: N807  # it is one
        _check(budget)
        original(self, dict(budget), notifications)


def amounts_are_decimal() -> None:
    """A limit of `50` is shown as `50.0`, so whoever compares texts sees a difference that there is not.

    https://docs.aws.amazon.com/cli/latest/reference/budgets/describe-budgets.html#examples
    """
    from moto.budgets.models import Budget

    @replacing(Budget, "to_dict")
    def to_dict(original: Any, self: Any) -> dict[str, Any]:
        shown: dict[str, Any] = original(self)
        limit = shown.get("BudgetLimit", {})
        if limit and "." not in limit["Amount"]:
            limit["Amount"] += ".0"
        return shown


def update_replaces() -> None:
    """UpdateBudget, which moto lacks, replaces everything but the name; notifications and tags stay.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_UpdateBudget.html
    """
    from moto.budgets.models import Budget
    from moto.budgets.responses import BudgetsResponse

    def update_budget(self: Any) -> str:
        wanted = self._get_param("NewBudget")
        known = found(self.backend, self.current_account, wanted["BudgetName"])
        known.budget = Budget(wanted, []).budget
        return "{}"

    put(BudgetsResponse, "update_budget", update_budget)


def found(backend: Any, account_id: str, name: str) -> Any:
    """The budget of this name. Raises NotFoundException."""
    budget = backend.budgets[account_id].get(name)
    if budget is None:
        raise refusal("NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")
    return budget


def refusal(code: str, message: str) -> Exception:
    """One of the API's errors, to be raised."""
    from moto.core.exceptions import JsonRESTError

    return JsonRESTError(code, message)


def invalid(place: str, rule: str) -> Exception:
    """What a value that the model does not allow is told."""
    return refusal("InvalidParameterException", f"1 validation error detected: Value at '{place}' failed to satisfy constraint: {rule}")


def _check(budget: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(budget.get("BudgetName", "")):
        raise invalid("budget.budgetName", f"Member must satisfy regular expression pattern: {_NAME.pattern}")
    for field, allowed in (("BudgetType", _TYPES), ("TimeUnit", _UNITS)):
        if budget.get(field) not in allowed:
            raise invalid(f"budget.{field}", f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    limit = budget.get("BudgetLimit")
    if limit and not _AMOUNT.fullmatch(limit["Amount"]):
        raise invalid("budget.budgetLimit.amount", f"Member must satisfy regular expression pattern: {_AMOUNT.pattern}")
