"""The syntax trees of src/ and tests/, read once, for tests about the shape of the code."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(sorted(path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").exists()))


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.relative_to(ROOT / "src").parts[0]

    @property
    def area(self) -> str:
        """The module or folder directly below its package: `aws`, `plan`, `cli`."""
        return Path(self.path.relative_to(ROOT / "src").parts[1]).stem

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """The imports of modules by their full name when the file runs; those only for type checkers are left out."""
        found = (node for node in _at_run_time(self.tree) if isinstance(node, ast.Import | ast.ImportFrom))
        return tuple(node for node in found if isinstance(node, ast.Import) or (node.module and not node.level))

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


@cache
def sources(folder: str) -> tuple[Source, ...]:
    """Every Python file of ours below `folder` of the repository; hidden folders hold other people's."""
    paths = sorted(path for path in (ROOT / folder).rglob("*.py") if not _hidden(path))
    # The collector looks through all trees again while each new one grows: with it this takes five times as long. The trees stay
    # until the end, so it need not look at them later either.
    gc.disable()
    try:
        return tuple(Source(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths)
    finally:
        gc.freeze()
        gc.enable()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """The line and full name of everything a file imports when it runs; imports only for type checkers are left out."""
    for node in source.imports:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        else:
            yield node.lineno, node.module or ""


def imported_modules(source: Source) -> Iterator[str]:
    """Return the modules that a file imports when it runs: of `from package import name` both could be one."""
    for node in source.imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Each statement; no import is within an expression."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr) and not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _at_run_time(child)
