"""Errors are values: what is caught is named, and AWS's errors are caught in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from architecture.sources import Source, sources

TOO_BROAD = {"Exception", "BaseException"}


def handlers(source: Source) -> Iterator[ast.ExceptHandler]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler))


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Each name that a handler catches; a bare `except:` catches BaseException."""
    kind = handler.type
    if kind is None:
        return {"BaseException"}
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return {ast.unparse(name).removeprefix("botocore.exceptions.") for name in names}


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it ends by raising what it caught: tidying up on the way is no catching."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_nothing_catches_everything() -> None:
    """A broad `except` hides our own bugs; only one that raises the same error again is accepted."""
    broad = [
        f"{source}:{handler.lineno}"
        for source in sources("src")
        for handler in handlers(source)
        if caught(handler) & TOO_BROAD and not passes_on(handler)
    ]
    assert not broad


def test_aws_errors_become_problems_in_one_place() -> None:
    """The deployer's only `except ClientError` is in aws/."""
    places = {str(source) for source in sources("src") for handler in handlers(source) if "ClientError" in caught(handler)}
    assert all("/aws/" in place or place.endswith("/aws.py") for place in places), places
