"""A template with answers put into it; every comment stays (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sre_agent_deploy.config.document import Plain, Tree, standing
from sre_agent_deploy.config.fault import FieldPath
from sre_agent_deploy.config.parse import Malformed, parse
from sre_agent_deploy.edit import render
from sre_agent_deploy.interactive.question import Question


def fill(template: str, values: Mapping[FieldPath, Plain]) -> str:
    """The template with each value in the place of what stood there.

    `edit.put` can do this in any file, value by value; a template has every setting on a line of its own, which is much
    quicker, and each answer is judged by the whole file.
    """
    tree = _tree(template)
    lines = template.split("\n")
    for path, value in values.items():
        place = standing(tree, path)
        if place.node is None:
            raise LookupError(f"the template has no {path}")
        line = lines[place.key.line - 1]
        written = "" if value == "" else render.value(value)
        lines[place.key.line - 1] = f"{line[: place.key.column - 1]}{path[-1]}: {written}".rstrip()
    return "\n".join(lines)


@cache
def _tree(template: str) -> Tree:
    """The same template is filled after every answer."""
    tree = parse(template)
    if isinstance(tree, Malformed):
        raise ValueError(f"the template is no YAML: {tree.says}")
    return tree


def meant(question: Question, answer: str) -> Plain:
    """What a person typed, as a value: `a, b` is a list, `key=value, key=value` are pairs, with brackets or without."""
    match question.kind:
        case "list":
            return [part.strip("\"'") for part in _parts(answer, "[]")]
        case "mapping":
            return dict(map(_pair, _parts(answer, "{}")))
    return answer


def _parts(answer: str, brackets: str) -> list[str]:
    inner = answer[1:-1] if answer[:1] + answer[-1:] == brackets else answer
    return [part.strip() for part in inner.split(",") if part.strip()]


def _pair(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=") if "=" in part else part.partition(":")
    return key.strip().strip("\"'"), value.strip().strip("\"'")
