"""The script of a model: which answer follows which request. It is stateless, so that any number of conversations can run at once.

A script is a JSON file: `{"answers": [RULE, ...], "availability": {MODEL: {...}}, "use_case": true}`. The first rule that fits a
request is its answer:

    {"model": "*nova*", "system": "supervisor", "turn": 0, "said": "oom", "text": "…", "tools": [{"name": "…", "arguments": {…}}]}
    {"error": "ThrottlingException", "status": 429, "message": "Too many requests"}

`model` is a pattern, `system` and `said` are regular expressions, `turn` is the number of answers that the model has given in this
conversation. In texts and arguments `<<EXPRESSION>>` becomes what this regular expression finds last in the conversation (its group,
where it has one): so a script can cite what a tool has answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_QUOTED = re.compile(r"<<(.+?)>>", re.DOTALL)


@dataclass(frozen=True)
class Conversation:
    """One request to a model, through any of the APIs."""

    model: str
    system: str
    text: str
    turn: int
    last: str = ""


@dataclass(frozen=True)
class ToolUse:
    """One tool that the model wants to be called."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the model, or the error of its API. `usage` has input, output, cache_read and cache_write."""

    text: str = ""
    tools: tuple[ToolUse, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    status: int = 400
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Script:
    """The rules of one or several models, and whether an account may use them."""

    answers: tuple[Mapping[str, Any], ...] = ()
    availability: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    use_case: bool = True
    """If Anthropic's use-case form was sent for the account."""

    def answer(self, asked: Conversation) -> Answer:
        """Return the answer of the first rule that fits."""
        found = next((rule for rule in self.answers if _fits(rule, asked)), None)
        if found is None:
            return Answer(error="ValidationException", message="No rule of the script fits this request.")
        return Answer(
            text=_fill(found.get("text", ""), asked.text),
            tools=tuple(ToolUse(tool["name"], _fill(tool.get("arguments", {}), asked.text)) for tool in found.get("tools", ())),
            usage={"input": len(asked.text) // 4, "output": 50, **found.get("usage", {})},
            error=found.get("error", ""),
            status=found.get("status", 400),
            message=found.get("message", ""),
            seconds=found.get("seconds", 0.0),
        )


def read(path: Path | None) -> Script:
    """Read a script; without a file there is no rule. It is read for each request, so that a test may replace it."""
    if path is None or not path.is_file():
        return Script()
    document = json.loads(path.read_text(encoding="utf-8"))
    return Script(tuple(document.get("answers", ())), document.get("availability", {}), document.get("use_case", True))


def _fits(rule: Mapping[str, Any], asked: Conversation) -> bool:
    return (
        fnmatchcase(asked.model, rule.get("model", "*"))
        and rule.get("turn", asked.turn) == asked.turn
        and re.search(rule.get("system", ""), asked.system) is not None
        and re.search(rule.get("said", ""), asked.text) is not None
    )


def _fill(value: Any, said: str) -> Any:
    """Replace each `<<EXPRESSION>>` in a JSON value."""
    if isinstance(value, str):
        return _QUOTED.sub(lambda quoted: _find_last(quoted[1], said), value)
    if isinstance(value, list):
        return [_fill(item, said) for item in value]
    if isinstance(value, Mapping):
        return {name: _fill(item, said) for name, item in value.items()}
    return value


def _find_last(expression: str, said: str) -> str:
    found = list(re.finditer(expression, said))
    return str(found[-1][1] if found[-1].re.groups else found[-1][0]) if found else "nothing"
