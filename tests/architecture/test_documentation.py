"""The documentation names only files, commands and options that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click

from architecture.sources import ROOT
from sre_agent.cli.root import command as assistant
from sre_agent_deploy.checks.suite import verification_checks
from sre_agent_deploy.cli.root import COMMANDS, root

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MOST_WORDS = 40


def test_links() -> None:
    """Each relative link leads to a file of the repository, and to a heading of it where it names one."""
    broken = [(_name(page), link) for page in PAGES for link in _links(page) if not _exists(page, link)]
    assert not broken


def test_command_lines() -> None:
    """Each command line that a page shows is one that the programs accept."""
    shown = [(_name(page), line) for page in PAGES for line in _command_lines(page.read_text(encoding="utf-8"))]
    assert len(shown) > len(PAGES) / 2
    assert not [(page, " ".join(line)) for page, line in shown if _unknown(line)]


def test_every_page_is_in_the_index() -> None:
    """A page that the index does not lead to is not found."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _links(index)}
    numbered = ("problems", "decisions")
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.parent.name not in numbered and page != index}
    assert not pages - linked


def test_the_glossary_is_short() -> None:
    """The project has at most forty words of its own, in alphabetical order."""
    words = re.findall(r"^\| ([a-z][^|]*) \|", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)[1:]
    assert len(words) <= MOST_WORDS
    assert words == sorted(words, key=str.casefold)


def test_check_ids() -> None:
    """Each line of a verification that a page quotes is of a check that exists."""
    known = {check.id for check in verification_checks()}
    shown = {
        (_name(page), id)
        for page in PAGES
        for id in re.findall(r"^ +(?:ok|FAIL|\?) +([a-z_]+\.[a-z_]+) ", page.read_text("utf-8"), re.MULTILINE)
    }
    assert len(shown) >= 5
    assert not [(page, id) for page, id in shown if id not in known]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def _exists(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not heading or heading in _headings(target)


def _headings(page: Path) -> set[str]:
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def _command_lines(text: str) -> Iterator[list[str]]:
    """List the words of each `sre-agent …` or `sre-agent-deploy …` in code, without comments and what follows a shell operator."""
    blocks = re.findall(r"```(?:bash|text)?\n(.*?)```", text, re.DOTALL)
    code = [line for block in blocks for line in block.splitlines()] + re.findall(
        r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    for line in code:
        for part in re.split(r"&&|\|\||[;|]", line.partition(" #")[0]):
            if found := re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?(sre-agent(?:-deploy)?)(?=\s|$)(.*)", part):
                yield [found[1], *shlex.split(found[2].replace("'", ""))]


def _unknown(line: list[str]) -> bool:
    program, *words = line
    command: click.Command = assistant if program == "sre-agent" else root
    known = _options(command)
    for before, word in pairwise(["", *words]):
        if word.startswith("--"):
            if word.partition("=")[0].rstrip(",.") not in known:
                return True
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word) and not before.startswith("--"):
            below = command.get_command(click.Context(command), word)
            if below is None:
                return True
            command, known = below, _options(below)
    return False


def _options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help", "-h"}


def test_every_command_is_documented_once() -> None:
    """The reference has a section for each command."""
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if text.count(f"## sre-agent-deploy {name}\n") != 1] == []
