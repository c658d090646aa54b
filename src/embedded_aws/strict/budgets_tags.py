"""Tags of budgets, by which alone it is known whose one is."""

from __future__ import annotations

import json
from typing import Any

from embedded_aws.strict.budgets import found, refusal
from embedded_aws.strict.replacing import put, replacing


def complete() -> None:
    """The tags of CreateBudget are kept, and TagResource, UntagResource and ListTagsForResource work; moto has none of it.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_ListTagsForResource.html
    """
    from moto.budgets.responses import BudgetsResponse

    @replacing(BudgetsResponse, "create_budget")
    def create_budget(original: Any, self: Any) -> str:
        answer: str = original(self)
        made = found(self.backend, self.current_account, self._get_param("Budget")["BudgetName"])
        made.tags = {tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags", [])}
        return answer

    for operation in (list_tags_for_resource, tag_resource, untag_resource):
        put(BudgetsResponse, operation.__name__, operation)


def list_tags_for_resource(self: Any) -> str:
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _tags(self).items()]})


def tag_resource(self: Any) -> str:
    _tags(self).update({tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags")})
    return "{}"


def untag_resource(self: Any) -> str:
    for key in self._get_param("ResourceTagKeys"):
        _tags(self).pop(key, None)
    return "{}"


def _tags(response: Any) -> dict[str, str]:
    arn = response._get_param("ResourceARN")
    own = f"arn:{response.partition}:budgets::{response.current_account}:budget/"
    if not arn.startswith(own):
        raise refusal("InvalidParameterException", f"{arn} is not the ARN of a budget of this account.")
    tags: dict[str, str] = found(response.backend, response.current_account, arn.removeprefix(own)).tags
    return tags
