"""Client tokens: a create that is sent twice makes one thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded_aws.agentcore.errors import invalid


@dataclass(frozen=True)
class _Use:
    digest: str
    made: str


@dataclass
class ClientTokens:
    """Which token made what, as long as what it made exists."""

    _uses: dict[tuple[str, str], _Use] = field(default_factory=dict)

    def created_by(self, operation: str, request: Mapping[str, Any]) -> str | None:
        """The id that this very request made before, or None. Another request under the same token is refused."""
        use = self._uses.get((operation, request.get("clientToken", "")))
        if use is None:
            return None
        if use.digest != _digest(request):
            raise invalid("The client token was used before with other parameters.", reason="IdempotentParameterMismatchException")
        return use.made

    def remember(self, operation: str, request: Mapping[str, Any], made: str) -> None:
        """From now on this request's token stands for `made`."""
        if token := request.get("clientToken"):
            self._uses[(operation, token)] = _Use(_digest(request), made)

    def forget(self, made: str) -> None:
        """What was made is gone, so its token is free again."""
        self._uses = {key: use for key, use in self._uses.items() if use.made != made}


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
