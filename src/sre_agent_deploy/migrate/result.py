"""What a migration did, for people and for programs (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sre_agent_deploy.config.fault import dotted
from sre_agent_deploy.config.redaction import redacted
from sre_agent_deploy.migrate.destinations import Carried, Moved, SecretFound
from sre_agent_deploy.migrate.setting import Setting
from sre_core.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Migration:
    """The new text, and what became of every old setting."""

    text: str
    moved: tuple[Moved, ...] = ()
    carried: tuple[Carried, ...] = ()
    secrets: tuple[SecretFound, ...] = ()
    steps: tuple[str, ...] = ()
    """What changed between versions of our own format."""

    def to_json(self, needed: tuple[Problem, ...]) -> dict[str, Any]:
        return {
            "steps": list(self.steps),
            "moved": [{**_from(each.setting), "to": dotted(each.field)} for each in self.moved],
            "carried_over": [{**_from(each.setting), "why": each.why} for each in self.carried],
            "secrets": [{**_from(each.setting), "instead": each.proposal} for each in self.secrets],
            "still_needed": [problem.to_json() for problem in needed],
        }

    def lines(self, needed: tuple[Problem, ...]) -> Iterator[str]:
        """The report for a terminal; no line holds an old value."""
        yield from (f"  {step}" for step in self.steps)
        yield from _titled("Moved:", _columns((each.setting, f"-> {dotted(each.field)}") for each in self.moved))
        title = "Carried over as comments, because they have no place in this format:"
        yield from _titled(title, _columns((each.setting, each.why) for each in self.carried))
        title = "Secrets, which are never copied; what to write or do instead:"
        yield from _titled(title, _columns((each.setting, each.proposal) for each in self.secrets))
        yield from _titled("Still needed before a deployment:", (f"{problem.what} {problem.do[0]}" for problem in needed))


def _titled(title: str, lines: Iterable[str]) -> Iterator[str]:
    shown = [f"  {line}" for line in lines]
    if shown:
        yield title
        yield from shown


def _columns(rows: Iterable[tuple[Setting, str]]) -> Iterator[str]:
    places = [(f"{setting.source}: {redacted(setting.name)}", said) for setting, said in rows]
    width = max((len(place) for place, _ in places), default=0)
    return (f"{place:{width}}  {said}" for place, said in places)


def _from(setting: Setting) -> dict[str, str]:
    return {"file": setting.source, "name": redacted(setting.name)}
