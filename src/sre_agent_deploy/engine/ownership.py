"""Whose a resource is, where it can't carry tags: its parent's, or ours because its own name says so."""

from __future__ import annotations

import dataclasses
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Resource
from sre_agent_deploy.resources import kinds


def attributed(kind: type[Resource], found: Found[Any], deployment: str, parent: Found[Any] | None) -> Found[Any]:
    """The same with the tags it would carry if it could, so that its owner can be told (pure).

    What lies in a parent of ours is ours. In a parent that the user named, only what bears the deployment's id is: a journal
    alone proves nothing, since it can be edited, and what was there before must never be adopted, changed or deleted.
    """
    if found.tags is not None or not kind.PARENT:
        return found
    if parent is None:
        return found
    ours = parent.owner(deployment) == "us" or _bears(kind, found, deployment)
    return dataclasses.replace(found, tags={DEPLOYMENT_TAG: deployment} if ours else {})


def read(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Found[Any] | None:
    """A resource as AWS shows it now, attributed to its owner; its parent is asked where it can't say itself."""
    found = kind.read(aws, id, name)
    if found is None or found.tags is not None or not kind.PARENT:
        return found
    return attributed(kind, found, deployment, kinds.by_kind(kind.PARENT).read(aws, parent_id(id), ""))


def parent_id(id: str) -> str:
    """The id of the parent, which is the first part of a child's."""
    return id.partition("/")[0]


def _bears(kind: type[Resource], found: Found[Any], deployment: str) -> bool:
    return str(getattr(found.seen, kind.NAME_FIELD, "")).startswith(deployment)
