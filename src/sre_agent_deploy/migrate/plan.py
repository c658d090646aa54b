"""START HERE: old files, and the config.yaml there is, become one current config.yaml (pure but for the chooser)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sre_agent_deploy.backup.conflict import Chooser, Difference, Field
from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.fault import dotted
from sre_agent_deploy.config.parse import Malformed
from sre_agent_deploy.edit.put import put
from sre_agent_deploy.edit.text import meaning
from sre_agent_deploy.migrate.assemble import fresh, leftovers, with_leftovers
from sre_agent_deploy.migrate.destinations import Carried, Moved, SecretFound, fate
from sre_agent_deploy.migrate.setting import OldFile, Setting
from sre_agent_deploy.migrate.upgrade import due, upgraded
from sre_core.problem import Problem, Refused
from sre_core.redaction import redact_line

CLIENT_SECRET: Field = ("credentials", "client_secret")


def migrated(files: Sequence[OldFile], existing: str | None, choose: Chooser) -> Migration:
    """The new text and what became of each setting. Raises Refused where a conflict is not decided."""
    fates = [fate(setting) for file in files for setting in file.settings]
    secrets = tuple(each for each in fates if isinstance(each, SecretFound))
    carried = [each for each in fates if isinstance(each, Carried)]
    current = upgraded(existing or "")
    if isinstance(current, Problem):
        raise Refused(current)
    values = _values_of(current)
    kept: list[Moved] = []
    for move in (each for each in fates if isinstance(each, Moved)):
        loser = [move]
        if _takes(values, move, choose):
            loser = [each for each in kept if each.field == move.field and each.value not in ("", move.value)]
            values[move.field] = move.value or values.get(move.field, "")
            kept = [*(each for each in kept if each not in loser), move]
        carried += [Carried(each.setting, f"{'.'.join(each.field)} has another value, which was chosen") for each in loser]
    if any(each.proposal.startswith("credentials.client_secret") for each in secrets) and values.get(("credentials", "client_id")):
        values.setdefault(CLIENT_SECRET, "env:COGNITO_CLIENT_SECRET")
    text = fresh(files, values, kept) if existing is None else _merged(current, values)
    rest = leftovers(files, carried, secrets)
    text = with_leftovers(text, rest if existing is None else (*rest, *_comments_of(kept, current)))
    steps = tuple(f"version {step.version} -> {step.version + 1}: {step.says}" for step in due(existing or ""))
    return Migration(text=text, moved=tuple(kept), carried=tuple(carried), secrets=secrets, steps=steps)


def _takes(values: dict[Field, str], move: Moved, choose: Chooser) -> bool:
    """Whether the value of this setting counts, and not the one that is already there."""
    there = values.get(move.field)
    if not there or not move.value or there == move.value:
        return True
    choice = choose(Difference(move.field, there, move.value))
    if choice == "abort":
        raise Refused(_aborted(move))
    return choice == "theirs"


def _values_of(text: str) -> dict[Field, str]:
    plain = meaning(text)
    return {} if isinstance(plain, Malformed) else dict(_texts(plain))


def _texts(plain: Plain | None, path: Field = ()) -> Iterator[tuple[Field, str]]:
    if isinstance(plain, dict):
        for key, below in plain.items():
            yield from _texts(below, (*path, key))
    elif isinstance(plain, str):
        yield path, plain


def _merged(text: str, values: dict[Field, str]) -> str:
    """The file that is there, with what is new in it."""
    there = _values_of(text)
    for field, value in values.items():
        if there.get(field, "") != value:
            edited = put(text, field, value)
            if isinstance(edited, Problem):
                raise Refused(edited)
            text = edited
    return text


def _comments_of(moves: Sequence[Moved], text: str) -> Iterator[str]:
    """In a file that was there, comments of settings that moved into it stand below, with their setting's name."""
    for move in moves:
        notes = [*move.setting.above, *([move.setting.beside] if move.setting.beside else [])]
        yield from (f"#   {'.'.join(move.field)}: {note}" for note in notes if note not in text)


def _aborted(move: Moved) -> Problem:
    return Problem(
        code="MIGRATE-ABORTED",
        what="Nothing was migrated.",
        why=f"There are two values for {'.'.join(move.field)}, and you chose to abort.",
        do=("Make the files agree, or decide otherwise: --conflict=mine or --conflict=theirs.",),
        context={"other_value_in": move.setting.source},
    )


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
    places = [(f"{setting.source}: {redact_line(setting.name)}", said) for setting, said in rows]
    width = max((len(place) for place, _ in places), default=0)
    return (f"{place:{width}}  {said}" for place, said in places)


def _from(setting: Setting) -> dict[str, str]:
    return {"file": setting.source, "name": redact_line(setting.name)}
