"""Assemble a config.yaml from old settings: each in its section with its comments, the rest as comments at the end (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sre_agent_deploy.backup.conflict import Field
from sre_agent_deploy.backup.hiding import hide_secrets
from sre_agent_deploy.config.models import VERSION, Config
from sre_agent_deploy.config.section import Section
from sre_agent_deploy.edit.values import render_scalar
from sre_agent_deploy.migrate.destinations import Carried, Moved, SecretFound
from sre_agent_deploy.migrate.setting import OldFile, Setting

CARRIED_TITLE = "# Carried over: what has no place in this format. It is kept here, and nothing reads it."


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
    title = [] if CARRIED_TITLE in there else [CARRIED_TITLE]
    gap = "" if not text or text.endswith("\n") else "\n"
    return text + gap + hide_secrets("\n".join(["", *title, *new]) + "\n").text


def list_leftovers(files: Sequence[OldFile], carried: Sequence[Carried], secrets: Sequence[SecretFound]) -> Iterator[str]:
    """List what has no place in the new format, file by file, as comment lines without secrets."""
    for file in files:
        lines = list(_list_leftovers_of(file, carried, secrets))
        if lines:
            yield f"# From {file.source}:"
            yield from lines


def _list_leftovers_of(file: OldFile, carried: Sequence[Carried], secrets: Sequence[SecretFound]) -> Iterator[str]:
    fates: dict[Setting, Carried | SecretFound] = {each.setting: each for each in carried}
    fates.update({each.setting: each for each in secrets})
    for setting in file.settings:
        match fates.get(setting):
            case Carried(why=why):
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
