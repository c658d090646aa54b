"""How a moto method is replaced: the new one gets the old one first."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def replacing(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function in the place of `owner.name`; it is called with the original before the usual arguments."""

    def decorate(new: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replaced(*args: Any, **kwargs: Any) -> Any:
            return new(original, *args, **kwargs)

        setattr(owner, name, replaced)
        return new

    return decorate


def put(owner: Any, name: str, new: Any) -> None:
    """Put `new` in the place of `owner.name`, whether there was one or not."""
    setattr(owner, name, new)
