"""The search tool: ranks a gateway's tools by the words they share with a question.

AWS ranks by meaning. Words are enough for a handful of tools and need no model; the answer's form is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from embedded_aws.agentcore.catalog import Catalog

NAME = "x_amz_bedrock_agentcore_search"
_AT_MOST = 10
_NAME_WEIGHT = 3

LISTING: Mapping[str, Any] = {
    "name": NAME,
    "description": "Finds the tools of this gateway that fit a question, when listing all of them would be too much.",
    "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What the tools are wanted for"}},
        "required": ["query"],
    },
}


def find(catalog: Catalog, query: str) -> dict[str, Any]:
    """The result of a call of the search tool: at most ten tools, the best first."""
    wanted = _words(query)
    scored = [(_score(listed, wanted), position, listed) for position, listed in enumerate(catalog.listing)]
    ranked = sorted((each for each in scored if each[0] > 0), key=lambda each: (-each[0], each[1]))
    found = {"tools": [listed for _, _, listed in ranked[:_AT_MOST]]}
    return {"isError": False, "structuredContent": found, "content": [{"type": "text", "text": json.dumps(found)}]}


def _score(listed: Mapping[str, Any], wanted: frozenset[str]) -> int:
    return _NAME_WEIGHT * len(wanted & _words(listed["name"])) + len(wanted & _words(listed["description"]))


def _words(text: str) -> frozenset[str]:
    """Lower-case words without a plural's s, so that `pods` finds `pod`."""
    return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", text.lower()))
