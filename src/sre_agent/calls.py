"""The calls of one question: the same call is made once, and a list that was cut is read on while calls are left."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sre_agent.evidence import Answer, Argument
from sre_agent.reading import Json, objects, text
from sre_agent.tools import Tool, Tools

MOST_CALLS = 25  # of one question; each costs the systems that are looked at
# Records, the newest first. What all of them have in common is in their patterns and counts.
SAMPLES = frozenset({"search_logs", "get_error_logs", "get_recent_logs"})

type Answers = Mapping[str, Answer]


@dataclass(frozen=True)
class ToolCall:
    """A call that is to be made."""

    operation: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)


class CountedTools:
    """The tools of one question. What was answered is remembered: names are looked up before what they are about."""

    def __init__(self, tools: Tools, most: int = MOST_CALLS) -> None:
        self._tools = tools
        self._most = most
        self._made = 0
        self._answered: dict[tuple[str, tuple[tuple[str, Argument], ...]], Answer] = {}

    @property
    def left(self) -> int:
        """Return how many calls may still be made. A language model has a budget of its own."""
        return max(0, self._most - self._made)

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation."""
        return self._tools.offered()

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Call one tool, unless this question has its answer."""
        key = (operation, tuple(sorted(arguments.items())))
        if known := self._answered.get(key):
            return known
        self._made += 1
        answer = await self._tools.call(operation, **arguments)
        if not answer.failure:
            self._answered[key] = answer
        return answer

    async def call_all(self, calls: Iterable[ToolCall]) -> dict[str, Answer]:
        """Make calls at the same time, and return the answers by operation."""
        made = tuple(calls)
        answers = await asyncio.gather(*(self.call(call.operation, **call.arguments) for call in made))
        return {call.operation: answer for call, answer in zip(made, answers, strict=True)}

    async def read_on(self, answers: Answers, order: Sequence[str], most: int) -> dict[str, Answer]:
        """Read the next pages of lists that were cut, each list in turn, the first of `order` first, with at most so many calls."""
        found = dict(answers)
        while most > 0 and (cut := [name for name in order if name in found and self._cursor(name, found[name])][:most]):
            pages = await asyncio.gather(*(self.read_next(name, found[name]) for name in cut))
            found |= dict(zip(cut, pages, strict=True))
            most -= len(cut)
        return found

    async def read_next(self, operation: str, answer: Answer) -> Answer:
        """Return an answer with the items of its next page added. Where that fails, it stays as it is and can't be continued."""
        cursor = self._cursor(operation, answer)
        page = await self.call(operation, **answer.arguments, cursor=cursor)
        if page.failure or not isinstance(page.data, dict) or not isinstance(answer.data, dict):
            return replace(answer, data={**_as_dict(answer), "cursor": ""})
        digest = hashlib.sha256(f"{answer.sha256}{page.sha256}".encode()).hexdigest()
        known, listed = objects(answer.data, "items"), objects(page.data, "items")
        # A list that changes meanwhile repeats items, and a source that repeats a page would never end.
        seen = set(map(_identify, known))
        new = [item for item in listed if _identify(item) not in seen]
        data = {**answer.data, "cursor": "", **page.data, "items": [*known, *new], **({} if new else {"cursor": ""})}
        return replace(answer, data=data, sha256=digest, size=answer.size + page.size, truncated=page.truncated)

    def _cursor(self, operation: str, answer: Answer) -> str:
        """Return the cursor of an answer that was cut; empty where nothing comes next, or an older gateway has no cursors."""
        tool = self.offered().get(operation)
        return text(answer.data, "cursor") if answer.truncated and tool and "cursor" in tool.parameters else ""


def _identify(item: Json) -> str:
    return json.dumps(item, sort_keys=True, default=str)


def _as_dict(answer: Answer) -> dict[str, object]:
    return dict(answer.data) if isinstance(answer.data, dict) else {}
