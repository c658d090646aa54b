"""Merge old files and an existing config.yaml into one current config.yaml (pure except for the chooser).

Each setting goes into its section with its comments; what has no place becomes a comment at the end. An older version of our own format
is upgraded to the current one, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sre_agent_deploy.backup.hiding import hide_secrets
from sre_agent_deploy.config import format_path
from sre_agent_deploy.config.document import Malformed, Plain
from sre_agent_deploy.config.edit import Chooser, Difference, Field, put, read_values, render_scalar
from sre_agent_deploy.config.models import VERSION, Config
from sre_agent_deploy.config.section import Section
from sre_agent_deploy.old_files import Commented, Moved, OldFile, SecretFound, Setting, decide_fate
from sre_core.problem import Problem, Refused
from sre_core.redaction import redact_line

CLIENT_SECRET: Field = ("credentials", "client_secret")
REASONER: Field = ("assistant", "reasoner")
MODEL_KEY: Field = ("assistant", "api_key")


def migrate(files: Sequence[OldFile], existing: str | None, choose: Chooser) -> Migration:
    """Build the new text, and record what became of each setting. Raise Refused if a conflict is not decided."""
    fates = [decide_fate(setting) for file in files for setting in file.settings]
    secrets = tuple(each for each in fates if isinstance(each, SecretFound))
    commented = [each for each in fates if isinstance(each, Commented)]
    current = upgrade(existing or "")
    if isinstance(current, Problem):
        raise Refused(current)
    values = _read_texts(current)
    kept: list[Moved] = []
    for move in (each for each in fates if isinstance(each, Moved)):
        loser = [move]
        if _takes_new_value(values, move, choose):
            loser = [each for each in kept if each.field == move.field and each.value not in ("", move.value)]
            values[move.field] = move.value or values.get(move.field, "")
            kept = [*(each for each in kept if each not in loser), move]
        commented += [Commented(each.setting, f"{'.'.join(each.field)} has another value, which was chosen") for each in loser]
    if any(each.proposal.startswith("credentials.client_secret") for each in secrets) and values.get(("credentials", "client_id")):
        values.setdefault(CLIENT_SECRET, "env:COGNITO_CLIENT_SECRET")
    if values.get(REASONER) == "anthropic":
        # The sample read the key of Anthropic from this variable, with or without a file.
        values.setdefault(MODEL_KEY, "env:ANTHROPIC_API_KEY")
    text = build_config(files, values, kept) if existing is None else _merge(current, values)
    rest = list_leftovers(files, commented, secrets)
    text = append_leftovers(text, rest if existing is None else (*rest, *_list_comments(kept, current)))
    steps = tuple(f"version {step.version} -> {step.version + 1}: {step.says}" for step in find_due_steps(existing or ""))
    return Migration(text=text, moved=tuple(kept), commented=tuple(commented), secrets=secrets, steps=steps)


def _takes_new_value(values: dict[Field, str], move: Moved, choose: Chooser) -> bool:
    """Say whether the old setting's value is taken, and not the existing one."""
    there = values.get(move.field)
    if not there or not move.value or there == move.value:
        return True
    choice = choose(Difference(move.field, there, move.value))
    if choice == "abort":
        raise Refused(_aborted(move))
    return choice == "theirs"


def _read_texts(text: str) -> dict[Field, str]:
    plain = read_values(text)
    return {} if isinstance(plain, Malformed) else dict(_walk_texts(plain))


def _walk_texts(plain: Plain | None, path: Field = ()) -> Iterator[tuple[Field, str]]:
    if isinstance(plain, dict):
        for key, below in plain.items():
            yield from _walk_texts(below, (*path, key))
    elif isinstance(plain, str):
        yield path, plain


def _merge(text: str, values: dict[Field, str]) -> str:
    """Put the new values into the existing file."""
    there = _read_texts(text)
    for field, value in values.items():
        if there.get(field, "") != value:
            edited = put(text, field, value)
            if isinstance(edited, Problem):
                raise Refused(edited)
            text = edited
    return text


def _list_comments(moves: Sequence[Moved], text: str) -> Iterator[str]:
    """List the comments of settings that moved into an existing file, with their setting's name."""
    for move in moves:
        notes = [*move.setting.above, *([move.setting.beside] if move.setting.beside else [])]
        yield from (f"#   {'.'.join(move.field)}: {note}" for note in notes if note not in text)


def _aborted(move: Moved) -> Problem:
    return Problem(
        code="CONFLICT-ABORTED",
        what="Nothing was migrated.",
        why=f"There are two values for {'.'.join(move.field)}, and you chose to abort.",
        do=("Choose a value: --conflict=mine keeps the existing one, --conflict=theirs takes the other.",),
        context={"other_value_in": move.setting.source},
    )


@dataclass(frozen=True, kw_only=True)
class Migration:
    """The result of a migration: the new text, and what became of every old setting."""

    text: str
    moved: tuple[Moved, ...] = ()
    commented: tuple[Commented, ...] = ()
    secrets: tuple[SecretFound, ...] = ()
    steps: tuple[str, ...] = ()
    """What changed between versions of our own format."""

    def to_json(self, needed: tuple[Problem, ...]) -> dict[str, Any]:
        return {
            "steps": list(self.steps),
            "moved": [{**_describe_setting(each.setting), "to": format_path(each.field)} for each in self.moved],
            "carried_over": [{**_describe_setting(each.setting), "why": each.why} for each in self.commented],
            "secrets": [{**_describe_setting(each.setting), "instead": each.proposal} for each in self.secrets],
            "still_needed": [problem.to_json() for problem in needed],
        }

    def lines(self, needed: tuple[Problem, ...]) -> Iterator[str]:
        """Yield the report for a terminal; no line holds an old value."""
        yield from (f"  {step}" for step in self.steps)
        yield from _render_section("Moved:", _align((each.setting, f"-> {format_path(each.field)}") for each in self.moved))
        title = "Carried over as comments, because they have no place in this format:"
        yield from _render_section(title, _align((each.setting, each.why) for each in self.commented))
        title = "Secrets, which are never copied; what to write or do instead:"
        yield from _render_section(title, _align((each.setting, each.proposal) for each in self.secrets))
        yield from _render_section("Still needed before a deployment:", (f"{problem.what} {problem.do[0]}" for problem in needed))


def _render_section(title: str, lines: Iterable[str]) -> Iterator[str]:
    shown = [f"  {line}" for line in lines]
    if shown:
        yield title
        yield from shown


def _align(rows: Iterable[tuple[Setting, str]]) -> Iterator[str]:
    places = [(f"{setting.source}: {redact_line(setting.name)}", said) for setting, said in rows]
    width = max((len(place) for place, _ in places), default=0)
    return (f"{place:{width}}  {said}" for place, said in places)


def _describe_setting(setting: Setting) -> dict[str, str]:
    return {"file": setting.source, "name": redact_line(setting.name)}


COMMENTED_TITLE = "# Carried over: what has no place in this format. It is kept here, and nothing reads it."


def build_config(files: Sequence[OldFile], values: Mapping[Field, str], moved: Sequence[Moved]) -> str:
    """Build a new file with these values, and put the comments of each setting at its new place."""
    names = ", ".join(dict.fromkeys(file.source for file in files))
    lines = ["# The SRE assistant on AWS EC2.", f"# Migrated from {names}.", f"version: {VERSION}", "mode: production"]
    for section in (name for name in Config.model_fields if any(field[0] == name for field in values)):
        lines += ["", f"{section}:"]
        for field in sorted((field for field in values if field[0] == section), key=_sort_key):
            lines += _render_entry(field, values[field], [each.setting for each in moved if each.field == field])
    return hide_secrets("\n".join(lines) + "\n").text


def _render_entry(field: Field, value: str, settings: Sequence[Setting]) -> Iterator[str]:
    beside = [setting.beside for setting in settings if setting.beside]
    for setting in settings:
        yield from (f"  {comment}" for comment in setting.above)
    yield from (f"  {comment}" for comment in beside[1:])
    quote = settings[0].quote if settings else ""
    yield f"  {field[1]}: {render_scalar(value, quote=quote)}" + (f"  {beside[0]}" if beside else "")


def _sort_key(field: Field) -> int:
    section = Config.model_fields[field[0]].annotation
    known = list(section.model_fields) if isinstance(section, type) and issubclass(section, Section) else []
    return known.index(field[1]) if field[1] in known else len(known)


def append_leftovers(text: str, leftovers: Iterable[str]) -> str:
    """Append the lines that the text does not have yet, without secrets."""
    there = {line.strip() for line in text.splitlines()}
    new = [line for line in leftovers if line not in there]
    if not new:
        return text
    title = [] if COMMENTED_TITLE in there else [COMMENTED_TITLE]
    gap = "" if not text or text.endswith("\n") else "\n"
    return text + gap + hide_secrets("\n".join(["", *title, *new]) + "\n").text


def list_leftovers(files: Sequence[OldFile], commented: Sequence[Commented], secrets: Sequence[SecretFound]) -> Iterator[str]:
    """List what has no place in the new format, file by file, as comment lines without secrets."""
    for file in files:
        lines = list(_list_leftovers_of(file, commented, secrets))
        if lines:
            yield f"# From {file.source}:"
            yield from lines


def _list_leftovers_of(file: OldFile, commented: Sequence[Commented], secrets: Sequence[SecretFound]) -> Iterator[str]:
    fates: dict[Setting, Commented | SecretFound] = {each.setting: each for each in commented}
    fates.update({each.setting: each for each in secrets})
    for setting in file.settings:
        match fates.get(setting):
            case Commented(why=why):
                yield from map(_comment_out, setting.above)
                yield from map(_comment_out, _render_setting(setting))
                yield f"#   ({setting.name}: {why})"
            case SecretFound(proposal=proposal):
                yield from map(_comment_out, setting.above)
                yield f"#   {setting.name} is a secret and stays where it is{f'  {setting.beside}' if setting.beside else ''}"
                yield f"#   (instead: {proposal})"
            case _:
                pass
    yield from map(_comment_out, file.below)


def _render_setting(setting: Setting) -> list[str]:
    """Render the lines of a setting, without the comments that are already above it."""
    text = hide_secrets(setting.written).text
    return [line for line in text.splitlines() if line.strip() and line.strip() not in setting.above]


def _comment_out(line: str) -> str:
    return f"#   {line.rstrip()}"


@dataclass(frozen=True)
class Step:
    """`change` edits the text with `edit.put`, so comments stay; the version number is written for it."""

    version: int
    """The version that it starts from; it ends at the next."""
    says: str
    """What it changes, for the report."""
    change: Callable[[str], str | Problem]


# A step is added here; where its change is long, it gets a file of its own.
STEPS: tuple[Step, ...] = ()


def upgrade(text: str, steps: Iterable[Step] = STEPS, current: int = VERSION) -> str | Problem:
    """Upgrade a text to the current format. One that is current or newer, or has no readable version, stays the same."""
    for step in find_due_steps(text, steps, current):
        changed = step.change(text)
        numbered = changed if isinstance(changed, Problem) else put(changed, ("version",), str(step.version + 1))
        if isinstance(numbered, Problem):
            return numbered
        text = numbered
    return text


def find_due_steps(text: str, steps: Iterable[Step] = STEPS, current: int = VERSION) -> tuple[Step, ...]:
    """Find the steps from the version of this text to the current one, in order."""
    version = read_version(text)
    if version is None:
        return ()
    return tuple(sorted((step for step in steps if version <= step.version < current), key=lambda step: step.version))


def read_version(text: str) -> int | None:
    """Read the version of a text; 1 if it names none."""
    values = read_values(text)
    if isinstance(values, Malformed) or not isinstance(values, dict):
        return None
    written = values.get("version", "1")
    return int(written) if isinstance(written, str) and written.isdigit() and len(written) < 10 else None
