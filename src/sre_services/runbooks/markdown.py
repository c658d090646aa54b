"""Parse runbooks: Markdown with YAML front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sre_services.runbooks.model import Contact, Runbook, Section, Step

SEVERITIES = ("critical", "high", "medium", "low")
_LOADER = YAML(typ="safe", pure=True)
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^##\s+(.+?)\s*$", re.MULTILINE)


class FrontMatterFault(ValueError):
    """A fault of the front matter, and the line of the file in which it is."""

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.line = line


def parse_runbook(file: str, text: str) -> Runbook:
    """Parse the text of a file. Raises ValueError with what is wrong."""
    match = _FRONT_MATTER.match(text.replace("\r\n", "\n"))
    if not match:
        raise FrontMatterFault("it does not begin with front matter between two lines of ---")
    about = _yaml(match[1])
    if about.get("severity") not in SEVERITIES:
        before = match[1].partition("severity:")[0]
        raise FrontMatterFault(f"its severity must be one of {', '.join(SEVERITIES)}", before.count("\n") + 2)
    return Runbook(
        id=str(about["id"]),
        file=file,
        title=str(about["title"]),
        severity=str(about["severity"]),
        category=str(about.get("category", "")),
        services=_texts(about, "services"),
        incident_types=_texts(about, "incident_types"),
        symptoms=_texts(about, "symptoms"),
        steps=tuple(_step(step) for step in about.get("steps") or ()),
        escalation=tuple(_contact(contact) for contact in about.get("escalation") or ()),
        sections=tuple(_sections(match[2])),
    )


def _yaml(text: str) -> Mapping[str, Any]:
    try:
        found = _LOADER.load(text)
    except YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        # A mark counts from 0, and the front matter begins in the second line.
        raise FrontMatterFault(
            f"its front matter is not YAML: {' '.join(str(fault).split())[:200]}", mark.line + 2 if mark else 1
        ) from None
    if not isinstance(found, dict):
        raise FrontMatterFault("its front matter is not a mapping", 2)
    return found


def _step(step: Mapping[str, Any]) -> Step:
    """Parse a step. One that does not say whether it changes anything needs approval, which is the safe side."""
    changes = step.get("changes") is not False
    return Step(do=str(step["do"]), changes=changes, command=str(step.get("command", "")), tool=str(step.get("tool", "")))


def _contact(contact: Mapping[str, Any]) -> Contact:
    return Contact(role=str(contact["role"]), contact=str(contact["contact"]), after_minutes=int(contact.get("after_minutes", 0)))


def _texts(about: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(text) for text in about.get(key) or ())


def _sections(body: str) -> Iterator[Section]:
    """Split the text at second-level headings; the text before the first is an introduction."""
    introduction, *rest = _HEADING.split(body)
    if introduction.strip():
        yield Section(heading="Introduction", text=introduction.strip())
    yield from (Section(heading=heading, text=text.strip()) for heading, text in zip(rest[::2], rest[1::2], strict=True))
