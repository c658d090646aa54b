"""The tools that a gateway offers now, each with how to reach its target, and the search over them.

AWS ranks by meaning. Shared words are enough for a handful of tools and need no model; the form of the answer is the same.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from embedded_aws.agentcore.records import OutboundKey, OutboundToken
from embedded_aws.agentcore.tools import Tool


@dataclass(frozen=True)
class LiveTarget:
    """A target that is ready: its tools, what it authenticates with, and the certificates that its server may present."""

    target_id: str
    tools: tuple[Tool, ...]
    outbound: OutboundKey | OutboundToken
    tls: ssl.SSLContext
    passed_headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offer:
    """A tool and the target that it belongs to."""

    tool: Tool
    target: LiveTarget


class Catalog:
    """The tools of a gateway in a fixed order; a change of targets creates another catalog."""

    def __init__(self, targets: Iterable[LiveTarget] = ()) -> None:
        self._offers = {tool.name: Offer(tool, target) for target in targets for tool in target.tools}

    def find(self, name: str) -> Offer | None:
        """Return the tool of this name."""
        return self._offers.get(name)

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(offer.tool for offer in self._offers.values())

    @cached_property
    def listing(self) -> tuple[Mapping[str, Any], ...]:
        """Return every tool as `tools/list` shows it."""
        return tuple(tool.to_json() for tool in self.tools)


class Catalogs:
    """The catalog of each gateway, updated when its targets change."""

    def __init__(self) -> None:
        self._live: dict[str, dict[str, LiveTarget]] = {}
        self._catalogs: dict[str, Catalog] = {}

    def of(self, gateway_id: str) -> Catalog:
        """Return the current catalog of a gateway."""
        return self._catalogs.get(gateway_id) or Catalog()

    def offer(self, gateway_id: str, target: LiveTarget) -> None:
        """Replace the tools of this target in the catalog of the gateway."""
        live = self._live.setdefault(gateway_id, {})
        live[target.target_id] = target
        self._catalogs[gateway_id] = Catalog(live.values())

    def withdraw(self, gateway_id: str, target_id: str) -> None:
        """Remove the tools of this target from the catalog of the gateway."""
        live = self._live.get(gateway_id, {})
        live.pop(target_id, None)
        self._catalogs[gateway_id] = Catalog(live.values())

    def forget(self, gateway_id: str) -> None:
        """Remove the catalog of a deleted gateway."""
        self._live.pop(gateway_id, None)
        self._catalogs.pop(gateway_id, None)


SEARCH_TOOL = "x_amz_bedrock_agentcore_search"
_FOUND_AT_MOST = 10
_NAME_WEIGHT = 3

SEARCH_LISTING: Mapping[str, Any] = {
    "name": SEARCH_TOOL,
    "description": "Finds the tools of this gateway that fit a question, when listing all of them would be too much.",
    "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What the tools are wanted for"}},
        "required": ["query"],
    },
}


def search(catalog: Catalog, query: str) -> dict[str, Any]:
    """Return the result of the search tool: at most ten tools, the best first."""
    wanted = _words(query)
    scored = [(_score(listed, wanted), position, listed) for position, listed in enumerate(catalog.listing)]
    ranked = sorted((each for each in scored if each[0] > 0), key=lambda each: (-each[0], each[1]))
    found = {"tools": [listed for _, _, listed in ranked[:_FOUND_AT_MOST]]}
    return {"isError": False, "structuredContent": found, "content": [{"type": "text", "text": json.dumps(found)}]}


def _score(listed: Mapping[str, Any], wanted: frozenset[str]) -> int:
    return _NAME_WEIGHT * len(wanted & _words(listed["name"])) + len(wanted & _words(listed["description"]))


def _words(text: str) -> frozenset[str]:
    """Return the words in lower case without the s of a plural, so that `pods` finds `pod`."""
    return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", text.lower()))
