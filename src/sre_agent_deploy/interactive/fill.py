"""A template with answers put into it; every comment stays (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sre_agent_deploy.config.document import Mapping as Tree
from sre_agent_deploy.config.document import Scalar, standing
from sre_agent_deploy.config.fault import FieldPath
from sre_agent_deploy.config.parse import Malformed, parse
from sre_agent_deploy.interactive.question import Question

# Within [ ] and { } more characters mean something than outside.
_PLAIN_INSIDE = re.compile(r"[A-Za-z0-9_][\w./-]*")


def fill(template: str, values: Mapping[FieldPath, str]) -> str:
    """The template with each value, written as YAML, in the place of what stood there."""
    tree = parse(template)
    if isinstance(tree, Malformed):
        raise ValueError(f"the template is no YAML: {tree.says}")
    lines = template.split("\n")
    for path, value in values.items():
        place = standing(tree, path)
        if place.node is None:
            raise LookupError(f"the template has no {path}")
        line = lines[place.key.line - 1]
        lines[place.key.line - 1] = f"{line[: place.key.column - 1]}{path[-1]}: {value}".rstrip()
    return "\n".join(lines)


def as_yaml(question: Question, answer: str) -> str:
    """What a person typed, as it is written into the file: `a, b` is a list, `key=value, key=value` are pairs."""
    match question.kind:
        case "list":
            return f"[{', '.join(map(_inside, _parts(answer, '[]')))}]"
        case "mapping":
            return f"{{{', '.join(map(_pair, _parts(answer, '{}')))}}}"
    return answer if not answer or _reads_back(answer) else json.dumps(answer, ensure_ascii=False)


def _parts(answer: str, brackets: str) -> list[str]:
    inner = answer[1:-1] if answer[:1] + answer[-1:] == brackets else answer
    return [part.strip() for part in inner.split(",") if part.strip()]


def _pair(part: str) -> str:
    key, _, value = part.partition("=") if "=" in part else part.partition(":")
    return f"{_inside(key.strip())}: {_inside(value.strip())}"


def _inside(text: str) -> str:
    bare = text.strip("\"'")
    return bare if _PLAIN_INSIDE.fullmatch(bare) else json.dumps(bare, ensure_ascii=False)


def _reads_back(text: str) -> bool:
    """Whether YAML reads the text as it stands as just this text."""
    tree = parse(f"key: {text}")
    if not isinstance(tree, Tree) or len(tree.entries) != 1:
        return False
    value = tree.entries[0].value
    return isinstance(value, Scalar) and value.text == text
