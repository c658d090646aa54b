"""Replace private parts of moto, and notice when they have moved."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


class MotoMoved(Exception):
    """A part of moto that this package replaces is missing, or takes other parameters."""


def patch(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace `owner.name` by a function that gets the original before the usual arguments. Raises MotoMoved."""

    def decorate(new: Callable[..., Any]) -> Callable[..., Any]:
        original = _existing(owner, name)
        _check_parameters(owner, name, original, new)

        @functools.wraps(original)
        def replaced(*args: Any, **kwargs: Any) -> Any:
            return new(original, *args, **kwargs)

        setattr(owner, name, replaced)
        return new

    return decorate


def replace(owner: Any, name: str, new: Any) -> None:
    """Replace `owner.name`, which moto has, by a value. Raises MotoMoved."""
    _existing(owner, name)
    setattr(owner, name, new)


def add(owner: Any, name: str, new: Any) -> None:
    """Add `owner.name`, which moto lacks."""
    setattr(owner, name, new)


def _existing(owner: Any, name: str) -> Any:
    if not hasattr(owner, name):
        raise MotoMoved(f"{_path(owner)}.{name} does not exist")
    return getattr(owner, name)


def _check_parameters(owner: Any, name: str, original: Any, new: Callable[..., Any]) -> None:
    """Check that each parameter of the replacement has the same name and position in the original."""
    fixed = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    has = list(inspect.signature(original).parameters)
    named = [parameter.name for parameter in inspect.signature(new).parameters.values() if parameter.kind in fixed][1:]
    wanted = [parameter.removeprefix("_") for parameter in named]
    if has[: len(wanted)] != wanted:
        raise MotoMoved(f"{_path(owner)}.{name} takes ({', '.join(has)}), not ({', '.join(wanted)}, …)")


def _path(owner: Any) -> str:
    module = getattr(owner, "__module__", "")
    return f"{module}.{owner.__qualname__}" if module else str(owner.__name__)
