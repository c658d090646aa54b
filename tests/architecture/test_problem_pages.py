"""Each code that a user can meet has a page, and each page a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from architecture.sources import ROOT, sources

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "problems").glob("*.md")}
# A Problem; what becomes one when its place in a file is known; and what makes such a fault of a value's syntax.
MAKERS = {"Problem", "Fault", "Syntax"}
CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")


def codes() -> dict[str, str]:
    """Every code that src can put into a Problem, with a place where it does."""
    return {code: place for source in sources("src") for code, place in _codes(source.tree, str(source))}


def _codes(tree: ast.Module, file: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in MAKERS:
            written = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            # A choice between two codes is an expression with both of them in it.
            literals = [part.value for value in written for part in ast.walk(value) if isinstance(part, ast.Constant)]
            yield from ((text, f"{file}:{node.lineno}") for text in literals if isinstance(text, str) and CODE.fullmatch(text))


def test_every_code_has_a_page() -> None:
    """Whoever meets a problem finds what it means, why it happens and what to do."""
    missing = {code: place for code, place in codes().items() if code not in PAGES}
    assert not missing, f"write docs/problems/CODE.md for {missing}"


def test_every_page_has_a_code() -> None:
    """No page explains what can't happen any more."""
    assert not PAGES.keys() - codes().keys()


def test_pages_have_the_parts_that_help() -> None:
    """A page is headed by its code, says in a sentence what it means, then why and what to do; and is short enough to be read."""
    for code, text in PAGES.items():
        lines = text.splitlines()
        assert lines[0] == f"# {code}"
        assert lines[2], code
        assert text.index("\n## Why it happens\n") < text.index("\n## What to do\n"), code
        assert 8 <= len(lines) <= 30, code


def test_pages_name_commands_that_exist() -> None:
    """Commands of our own that a page advises are real ones."""
    from sre_agent_deploy.cli.root import COMMANDS

    advised = {(code, verb) for code, text in PAGES.items() for verb in re.findall(r"`sre-agent-deploy ([a-z][a-z-]*)", text)}
    assert not [(code, verb) for code, verb in advised if verb not in COMMANDS]
