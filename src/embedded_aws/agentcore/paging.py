"""Lists come in pages; a page's token says where the next one begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from embedded_aws.agentcore.errors import Violation, invalid


def page(items: Sequence[Any], request: Mapping[str, Any], *, default: int = 100) -> tuple[Sequence[Any], dict[str, str]]:
    """The items of the page that `request` asks for, and `{"nextToken": …}` where more follow."""
    start = _start(request["nextToken"], len(items)) if "nextToken" in request else 0
    end = start + int(request.get("maxResults", default))
    following = {"nextToken": _token(end)} if end < len(items) else {}
    return items[start:end], following


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"from:{position}".encode()).decode()


def _start(token: str, count: int) -> int:
    try:
        word, _, position = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "from" and 0 <= int(position) <= count:
            return int(position)
    except (binascii.Error, ValueError):
        pass
    raise invalid("The pagination token is invalid.", Violation("nextToken", "The pagination token is invalid."))
