"""Tags of gateways, credential providers, workload identities, runtimes and endpoints; targets have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded_aws.agentcore.errors import not_found, over_quota
from embedded_aws.agentcore.records import Registry

_TAGS_AT_MOST = 50


class Tags:
    """The tag operations of the control plane."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def tag(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform TagResource: add tags and replace those of the same key."""
        tags = {**self._of(request), **request["tags"]}
        if len(tags) > _TAGS_AT_MOST:
            raise over_quota(f"A resource has at most {_TAGS_AT_MOST} tags.")
        self._registry.tags[request["resourceArn"]] = tags
        return {}

    async def untag(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform UntagResource: remove tags by key; absent keys are no error."""
        gone = set(request["tagKeys"])
        self._registry.tags[request["resourceArn"]] = {key: value for key, value in self._of(request).items() if key not in gone}
        return {}

    async def list_all(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform ListTagsForResource."""
        return {"tags": self._of(request)}

    def _of(self, request: Mapping[str, Any]) -> dict[str, str]:
        found = self._registry.tags.get(request["resourceArn"])
        if found is None:
            raise not_found(f"Resource not found: {request['resourceArn']}")
        return found
