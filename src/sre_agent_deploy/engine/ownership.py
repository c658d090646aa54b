"""The owner of a resource that can't carry tags: its parent's owner, or this deployment if its name begins with the deployment's id."""

from __future__ import annotations

import dataclasses
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Resource
from sre_agent_deploy.resources import kinds


def read(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Found[Any] | None:
    """Read a resource as AWS shows it now, with its owner. Reads its parent too where the resource has no tags."""
    found = kind.read(aws, id, name)
    if found is None or not _follows_parent(kind, found):
        return found
    return attribute_owner(kind, found, deployment, kinds.by_kind(kind.PARENT).read(aws, parent_id(id), ""))


def attribute_owner(kind: type[Resource], found: Found[Any], deployment: str, parent: Found[Any] | None) -> Found[Any]:
    """Add the tags that a resource would have if it could have any, so that its owner is known (pure).

    What is in a parent of ours is ours. In a parent that the configuration names, only what bears the deployment's id is ours:
    the journal alone proves nothing, because it can be edited, and what was there before is never adopted, changed or deleted.
    """
    if parent is None or not _follows_parent(kind, found):
        return found
    if kind.OWNED_BY_PLACE:
        ours = parent.owner(deployment) == "us" and deployment in found.id.split("/")
        return dataclasses.replace(found, tags={**(found.tags or {}), DEPLOYMENT_TAG: deployment}) if ours else found
    ours = parent.owner(deployment) == "us" or _bears_id(kind, found, deployment)
    return dataclasses.replace(found, tags={DEPLOYMENT_TAG: deployment} if ours else {})


def _follows_parent(kind: type[Resource], found: Found[Any]) -> bool:
    """Answer if its place decides about its owner: it can't be tagged, or it was replaced without any tag of a deployment's."""
    unmarked = found.tags is None or (kind.OWNED_BY_PLACE and DEPLOYMENT_TAG not in found.tags)
    return bool(kind.PARENT) and unmarked


def parent_id(id: str) -> str:
    """Return the id of the parent: the first part of a child's id."""
    return id.partition("/")[0]


def _bears_id(kind: type[Resource], found: Found[Any], deployment: str) -> bool:
    return str(getattr(found.seen, kind.NAME_FIELD, "")).startswith(deployment)
