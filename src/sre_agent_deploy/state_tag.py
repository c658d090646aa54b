"""The tag that says where a deployment's state is, so that its lock is found when no state file is at hand (pure).

Every resource is created with it. TTL_RESOURCE keeps it right, should the state move: always ours, and deleted late.
A state on one machine has no tag: nobody else can reach its lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from sre_agent_deploy.lifetime import TTL_RESOURCE
from sre_agent_deploy.resource import STATE_TAG

# What every service accepts as the value of a tag: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_VALUE = re.compile(r"[\w +\-=.:/@]{1,256}", re.ASCII)


class Tagged(Protocol):
    """A resource of a deployment, as listings show it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


def taggable(location: str) -> str:
    """Return the location of a state in S3 as the value of a tag; empty for a local file, and for a key that no tag can hold."""
    return location if location.startswith("s3://") and _TAG_VALUE.fullmatch(location) else ""


def state_tags(location: str) -> Mapping[str, str]:
    """Make the tag that every resource of a deployment with a state in S3 is created with."""
    return {STATE_TAG: location} if location else {}


def read_location(parts: Iterable[Tagged]) -> str:
    """Read where the state of a deployment is from its resources; empty if they do not say it."""
    said = [(part.name != TTL_RESOURCE, part.state) for part in parts if part.state]
    return min(said)[1] if said else ""
