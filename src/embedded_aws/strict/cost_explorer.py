"""AWS Cost Explorer: which tags count for costs; moto has neither operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from embedded_aws.strict.patching import add


def add_cost_allocation_tags() -> None:
    """Add ListCostAllocationTags and UpdateCostAllocationTagsStatus. AWS knows a tag up to a day after its first use; here at once.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_UpdateCostAllocationTagsStatus.html
    """
    from moto.ce.responses import CostExplorerResponse

    add(CostExplorerResponse, "list_cost_allocation_tags", list_cost_allocation_tags)
    add(CostExplorerResponse, "update_cost_allocation_tags_status", update_cost_allocation_tags_status)


def list_cost_allocation_tags(self: Any) -> str:
    asked, active = json.loads(self.body), _active_tags(self)
    shown = [{"TagKey": key, "Type": "UserDefined", "Status": "Active" if key in active else "Inactive"} for key in _known_tags(self)]
    wanted = {key: asked[key] for key in ("Status", "Type") if key in asked}
    keys = asked.get("TagKeys", [tag["TagKey"] for tag in shown])
    return json.dumps({"CostAllocationTags": [tag for tag in shown if tag["TagKey"] in keys and wanted.items() <= tag.items()]})


def update_cost_allocation_tags_status(self: Any) -> str:
    known, errors = _known_tags(self), []
    for entry in json.loads(self.body)["CostAllocationTagsStatus"]:
        key = entry["TagKey"]
        if key not in known:
            errors.append({"TagKey": key, "Code": "TagKeysNotFoundException", "Message": f"Tag keys not found: {key}"})
        elif entry["Status"] == "Active":
            _active_tags(self).add(key)
        else:
            _active_tags(self).discard(key)
    return json.dumps({"Errors": errors})


def _known_tags(response: Any) -> list[str]:
    """List the tag keys of resources of us-east-1 and of each region in use, and those that were activated: a key stays known."""
    from moto.resourcegroupstaggingapi.models import resourcegroupstaggingapi_backends

    regions = resourcegroupstaggingapi_backends[response.current_account]
    found = {key for region in {"us-east-1", *regions} for key in _list_keys(regions[region])}
    return sorted(found | _active_tags(response))


def _list_keys(backend: Any) -> Iterator[str]:
    """List the keys of all pages: one has 128, each as often as it is used."""
    token, keys = backend.get_tag_keys()
    yield from keys
    while token:
        token, keys = backend.get_tag_keys(token)
        yield from keys


def _active_tags(response: Any) -> set[str]:
    backend = response.ce_backend
    if not hasattr(backend, "active_cost_tags"):
        backend.active_cost_tags = set()
    active: set[str] = backend.active_cost_tags
    return active
