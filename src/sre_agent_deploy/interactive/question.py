"""Build the questions of a configuration from its models, with the same texts as the template (pure).

The sources of a service are one line: `eks:prod, kubeconfig`, each with the one value that says where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAliasType, get_args, get_origin

from pydantic.fields import FieldInfo

from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.fault import FieldPath, format_path
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.section import Section, item_model
from sre_agent_deploy.config.sources import Source

type Kind = Literal["text", "list", "mapping", "sources", "gate"]
type Answers = Mapping[str, str]

# The version of the format is no choice of the user.
NOT_ASKED = {"version"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """One setting to ask for; a gate asks whether to ask for more of them."""

    path: FieldPath
    about: str
    kind: Kind = "text"
    usual: str = ""
    example: str = ""
    console: str = ""
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key of its answer, as people write it: `aws.region`."""
        return format_path(self.path)

    @property
    def section(self) -> str:
        """The section it belongs to; "" for a setting without a section."""
        return str(self.path[0]) if len(self.path) > 1 else ""

    def covers(self, path: FieldPath) -> bool:
        """Say whether the value at `path` comes from the answer to this question."""
        return path[: len(self.path)] == self.path


def build_gate(key: str, about: str) -> Question:
    """Build a yes-or-no question that opens more questions."""
    return Question(path=(key,), about=about, kind="gate", usual="no", choices=("yes", "no"))


@cache
def list_questions() -> tuple[Question, ...]:
    """List a question for every setting, in the order of the file."""
    return tuple(_walk_settings())


def _walk_settings() -> Iterator[Question]:
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            # Other lists of sections are written in the file: one line can't answer them.
            settings = ((below, inner) for below, inner in field.annotation.model_fields.items() if _is_asked(inner))
            yield from (_build_question((name, below), inner) for below, inner in settings)
        elif name not in NOT_ASKED:
            yield _build_question((name,), field)


def _is_asked(field: FieldInfo) -> bool:
    items = item_model(field.annotation)
    return items is None or issubclass(items, Source)


def _build_question(path: FieldPath, field: FieldInfo) -> Question:
    if item_model(field.annotation):
        about = f"{(field.description or '').partition(':')[0]}. {HOW}"
        return Question(path=path, about=about, kind="sources", example=EXAMPLES[str(path[-1])])
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return Question(
        path=path,
        about=field.description or "",
        kind=_find_kind(field.annotation),
        usual=_render_default(field.default),
        example=str(field.examples[0]) if field.examples else "",
        console=str(extra.get("x-console", "")),
        choices=_find_choices(field.annotation),
    )


def _find_kind(annotation: Any) -> Kind:
    if get_origin(annotation) is tuple:
        return "list"
    return "mapping" if get_origin(annotation) is Mapping else "text"


def _find_choices(annotation: Any) -> tuple[str, ...]:
    if isinstance(annotation, TypeAliasType):
        return _find_choices(annotation.__value__)
    if annotation is bool:
        return ("true", "false")
    return tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ()


def _render_default(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if default else ""


PLACES: Mapping[str, str] = {
    "kubeconfig": "kubeconfig",
    "eks": "cluster",
    "files": "path",
    "journald": "url",
    "loki": "url",
    "opensearch": "url",
    "cloudwatch": "log_groups",
    "prometheus": "url",
    "amp": "url",
    "git": "url",
    "s3": "bucket",
    "folder": "path",
}
"""By the kind of source, the setting that says where it is."""
EXAMPLES: Mapping[str, str] = {
    "kubernetes": "eks:prod, kubeconfig:~/.kube/config",
    "logs": "eks:prod, cloudwatch:/aws/lambda/checkout, loki:https://loki.example.com",
    "metrics": "amp:https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-…, cloudwatch, prometheus:https://prometheus.example.com",
    "runbooks": "git:https://git.example.com/team/runbooks.git, s3:team-runbooks",
}
HOW = "Several with commas; what else a source needs is written in the file."


def parse_sources(answer: str) -> list[Plain]:
    """Parse an answer: entries of the list in the file. Several log groups are one source."""
    entries: list[dict[str, Plain]] = []
    for kind, value in _split(answer):
        # What is no kind of source is said by the rules of the configuration.
        place = PLACES.get(kind, "")
        groups = next((entry[place] for entry in entries if entry["source"] == kind and place in entry), None)
        if place == "log_groups" and isinstance(groups, list) and value:
            groups.append(value)
        else:
            entries.append({"source": kind, **({place: _write_place(place, value)} if place and value else {})})
    return list(entries)


def _split(answer: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, answer.split(","))):
        kind, _, value = part.partition(":")
        yield kind.strip(), value.strip()


def _write_place(place: str, value: str) -> Plain:
    if place == "log_groups":
        return [value]
    # A kubeconfig is named by a reference; a path alone means its file.
    return f"file:{value}" if place == "kubeconfig" and not SecretReference.parse(value) else value
