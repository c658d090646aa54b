"""Errors are values: what is caught is named, and AWS's errors are caught in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from architecture.sources import Source, sources

TOO_BROAD = {"Exception", "BaseException"}


def handlers(source: Source) -> Iterator[ast.ExceptHandler]:
    return (node for node in source.nodes if isinstance(node, ast.ExceptHandler))


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Each name that a handler catches; a bare `except:` catches BaseException."""
    kind = handler.type
    if kind is None:
        return {"BaseException"}
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return {ast.unparse(name).removeprefix("botocore.exceptions.") for name in names}


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Return true if the handler ends by raising what it caught: such a handler only cleans up."""
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


def test_each_broad_handler_gives_its_reason() -> None:
    """A comment above its first statement says why nothing narrower is enough."""
    silent = []
    for source in sources("src"):
        lines = source.path.read_text(encoding="utf-8").splitlines()
        broad = (handler for handler in handlers(source) if caught(handler) & TOO_BROAD)
        silent += [f"{source}:{handler.lineno}" for handler in broad if not lines[handler.lineno].lstrip().startswith("#")]
    assert not silent


def test_aws_errors_become_problems_in_one_place() -> None:
    """The deployer's only `except ClientError` is in aws/."""
    places = {str(source) for source in sources("src") for handler in handlers(source) if "ClientError" in caught(handler)}
    assert all("/aws/" in place or place.endswith("/aws.py") for place in places), places
