"""One action on one resource that a caller must be allowed, and what most operations demand (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded_aws.authorization.call import Call

ANY = "*"


@dataclass(frozen=True)
class Demand:
    """One action on one resource that the caller must be allowed."""

    action: str
    resource: str = ANY
    keys: Mapping[str, str] = field(default_factory=dict)


def read_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Read the tags that a request sets, in any of the shapes that services have for them."""
    nested = parameters.get("CreateBucketConfiguration") or {}
    groups = [parameters.get(name) for name in ("Tags", "tags", "UserPoolTags", "ResourceTags", "AlarmTags", "TagsList")] + [
        nested.get("Tags")
    ]
    groups += [specification.get("Tags") for specification in parameters.get("TagSpecifications") or ()]
    found: dict[str, str] = {}
    for group in groups:
        if isinstance(group, Mapping):
            found |= {str(key): str(value) for key, value in group.items()}
        elif isinstance(group, list):
            found |= {str(tag.get("Key", tag.get("key", ""))): str(tag.get("Value", tag.get("value", ""))) for tag in group}
    return found


def demand_on(call: Call, *resources: str, **keys: str) -> Iterator[Demand]:
    """Demand the action of the call's name on these resources; on any where there are none."""
    for resource in resources or (ANY,):
        yield Demand(f"{call.service}:{call.operation}", resource, keys)


def demand_tagging(call: Call, action: str, resource: str) -> Iterator[Demand]:
    """Demand the action that tags a new resource, where the request sets tags."""
    if read_tags(call.parameters):
        yield Demand(f"{call.service}:{action}", resource)


def demand_role(role_arn: str, service: str) -> Demand:
    """Demand that the caller may pass a role to a service."""
    return Demand("iam:PassRole", role_arn, {"iam:PassedToService": service})
