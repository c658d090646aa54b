"""AWS's list of `{"Key": …, "Value": …}` pairs, as births send them and answers carry them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sre_agent_deploy.resource import DEPLOYMENT_TAG, Mark


def as_dict(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """The tags of an answer by their keys; an answer without tags gives none."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def specification(resource_type: str, mark: Mark) -> list[Any]:
    """EC2's `TagSpecifications` for a birth."""
    return [{"ResourceType": resource_type, "Tags": mark.tag_list()}]


def of_deployment(deployment: str) -> list[Any]:
    """EC2's `Filters` for what carries this deployment's tag."""
    return [{"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [deployment]}]
