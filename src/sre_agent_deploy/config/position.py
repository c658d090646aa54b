"""Turn a Fault into a Problem with file, line, column and the marked line, without a secret in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from pydantic import BaseModel

from sre_agent_deploy.config import Fault, Mark
from sre_agent_deploy.config.document import Mapping, Scalar, Sequence, Tree, find_position
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.section import item_model
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Where
from sre_core.redaction import HIDDEN, is_secret_name, redact_line

START = Mark(1, 1)


@dataclass(frozen=True)
class SourceFile:
    """A configuration file's name and text."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def problem(self, fault: Fault) -> Problem:
        """Build the problem of a fault that has its own mark, or none."""
        return _build_problem(fault, self._where(fault, fault.mark or START))

    def problems(self, tree: Tree, faults: Iterable[Fault]) -> tuple[Problem, ...]:
        """Build the problems of all faults in a tree, in the order of the file."""
        placed = [self._locate(tree, fault) for fault in faults]
        return tuple(sorted(placed, key=lambda problem: (problem.where.line or 0, problem.where.column or 0) if problem.where else (0, 0)))

    def _locate(self, tree: Tree, fault: Fault) -> Problem:
        place = find_position(tree, fault.path)
        if origin := _find_origin(place.node):
            return _build_problem(fault, Where(f"environment variable {origin}"))
        if not fault.mark and place.node is None and place.key == tree.mark:
            return _build_problem(fault, Where(self.name, START.line, START.column))  # it is not in the file: no line to show
        problem = _build_problem(fault, self._where(fault, fault.mark or (place.key if fault.at_key else place.value)))
        if isinstance(place.node, Scalar) and place.node.variables and not fault.mark:
            return problem.with_context(value_from=", ".join(f"${{{name}}}" for name in place.node.variables))
        return problem

    def _where(self, fault: Fault, mark: Mark) -> Where:
        return Where(self.name, mark.line, mark.column, render_excerpt(self.lines, mark, free_keys=fault.path[:1] == ("tags",)))


def _find_origin(node: Tree | None) -> str:
    """Find the environment variable that a value came from, if it did not come from the file."""
    match node:
        case Scalar(origin=origin):
            return origin
        case Sequence(items=(first, *_)):
            return _find_origin(first)
        case Mapping(entries=(first, *_)):
            return _find_origin(first.value)
    return ""


def _build_problem(fault: Fault, where: Where) -> Problem:
    context = {"correction": fault.correction} if fault.correction is not None else {}
    return Problem(code=fault.code, what=fault.what, why=fault.why, do=fault.do, context=context, where=where, aws_docs=fault.aws_docs)


WIDEST = 120
# A key and a value that is not a reference: the first of a line in YAML, JSON or shell syntax, and those in braces.
_NAME = r"""["']?(?P<name>[^\s"':={}\[\],#]*)["']?\s*"""
_VALUE = r"""(?=\S)(?!["']?\$\{\w+\})"""
_FIRST = re.compile(rf"\s*(?:-\s+|export\s+)*{_NAME}[:=]\s*{_VALUE}")
_INSIDE = re.compile(rf"[{{,]\s*{_NAME}:\s+{_VALUE}")


def render_excerpt(lines: list[str], mark: Mark, *, free_keys: bool = False) -> str:
    """Render the marked line with its number, and carets below the marked part. With `free_keys`, values of unknown keys are shown."""
    if not 1 <= mark.line <= len(lines):
        return ""
    source = _make_printable(lines[mark.line - 1])
    if not source.strip():
        return ""
    hidden = redact_line if free_keys else _hide_unknown_values
    shown = HIDDEN if _continues_secret(lines, mark.line) else hidden(source)
    # A value that was hidden further left moves the mark to the left.
    before = source[: mark.column - 1]
    start = min(len(before if shown.startswith(before) else hidden(before)), len(shown))
    width = mark.width if source[mark.column - 1 :][: mark.width] == shown[start:][: mark.width] else len(HIDDEN)
    if start >= WIDEST:
        cut = start - WIDEST // 2
        shown, start = "…" + shown[cut:], start - cut + 1
    shown = shown[:WIDEST]
    carets = "^" * max(1, min(width, len(shown) - start))
    gutter = str(mark.line)
    return f"{gutter} | {shown}\n{' ' * len(gutter)} | {' ' * start}{carets}"


def _make_printable(line: str) -> str:
    # One column each, so the caret stays where it belongs, and no control sequence reaches a terminal.
    return "".join(character if character.isprintable() else " " for character in line)


def _hide_unknown_values(line: str) -> str:
    """Hide what may be a secret in a line: behind a key that resembles no setting, that is any value."""
    first = _FIRST.match(line)
    for found in (*([first] if first else ()), *_INSIDE.finditer(line)):
        if not is_secret_name(found["name"]) and not _is_setting_without_secret(found["name"]):
            return redact_line(line[: found.end()]) + HIDDEN
    return redact_line(line)


def _list_names(section: type[BaseModel]) -> Iterator[str]:
    """List the names of all fields of a section and of those below it."""
    for name, field in section.model_fields.items():
        yield name
        if below := item_model(field.annotation):
            yield from _list_names(below)


@cache
def _is_setting_without_secret(key: str) -> bool:
    """Say whether a key is, or resembles, a setting that holds no secret."""
    settings = set(_list_names(Config))
    nearest = key if key in settings else find_nearest(key, sorted(settings))
    return nearest is not None and not is_secret_name(nearest)


def _continues_secret(lines: list[str], number: int) -> bool:
    """Say whether a line continues a value that began above, under a key that holds a secret."""
    indent = _measure_indent(lines[number - 1])
    for line in reversed(lines[: number - 1]):
        if line.strip() and _measure_indent(line) < indent:
            key = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*:", line)
            if key:
                return is_secret_name(key[1])
            indent = _measure_indent(line)
    return False


def _measure_indent(line: str) -> int:
    return len(line) - len(line.lstrip())
