"""Each code that a user can meet has a page, and each page a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from architecture.sources import ROOT, Source, sources

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "problems").glob("*.md")}
# A Problem; what becomes one when its place in a file is known; and what makes such a fault of a value's syntax.
MAKERS = {"Problem", "Fault", "Syntax"}
CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")


@cache
def codes() -> dict[str, str]:
    """Every code that src can put into a Problem, with a place where it does."""
    return {code: place for source in sources("src") for code, place in _codes(source)}


def _first_steps(source: Source) -> Iterator[tuple[str, int]]:
    """The first step of each list of steps that is written out, with a constant of the file put in by its value."""
    names = {
        target.id: node.value
        for node in source.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in source.nodes:
        if isinstance(node, ast.keyword) and node.arg == "do" and isinstance(node.value, ast.Tuple) and node.value.elts:
            first = node.value.elts[0]
            written = names.get(first.id, first) if isinstance(first, ast.Name) else first
            texts = [part.value for part in ast.walk(written) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            yield "".join(texts), node.value.lineno


def _codes(source: Source) -> Iterator[tuple[str, str]]:
    for node in source.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in MAKERS:
            written = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            # A choice between two codes is an expression with both of them in it.
            literals = [part.value for value in written for part in ast.walk(value) if isinstance(part, ast.Constant)]
            yield from ((text, f"{source}:{node.lineno}") for text in literals if isinstance(text, str) and CODE.fullmatch(text))


def test_every_code_has_a_page() -> None:
    """The page of a problem says what it means, why it happens and what to do."""
    missing = {code: place for code, place in codes().items() if code not in PAGES}
    assert not missing, f"write docs/problems/CODE.md for {missing}"


def test_the_first_step_is_more_than_another_try() -> None:
    """Advice begins with what to look at, to correct or to wait for: the same command alone would fail in the same way."""
    again = re.compile(r"(Wait (a minute|some minutes),? and r|R)un the same (command|cleanup) again")
    weak = [f"{source}:{line}" for source in sources("src") for text, line in _first_steps(source) if again.match(text)]
    steps = {code: text.partition("## What to do\n\n")[2].removeprefix("1. ") for code, text in PAGES.items()}
    assert not weak + [code for code, text in steps.items() if again.match(text)]


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
