"""Build the questions of a configuration from its models, and check the answers by the configuration's own rules (pure).

The sources of a service are one line: `eks:prod, kubeconfig`, each with the one value that says where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAliasType, get_args, get_origin

from pydantic.fields import FieldInfo

from sre_agent_deploy.config import Fault, FieldPath, Mode, format_path
from sre_agent_deploy.config.document import Malformed, Plain, Tree, find_position, parse
from sre_agent_deploy.config.document import Mapping as Sections
from sre_agent_deploy.config.edit import render_value
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.load import judge
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.section import Section, item_model
from sre_agent_deploy.config.sources import Source
from sre_agent_deploy.config.template import render_template
from sre_agent_deploy.config.text_file import explain_yaml_error
from sre_core.problem import Problem

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
    for kind, value in _split_kinds(answer):
        # What is no kind of source is said by the rules of the configuration.
        place = PLACES.get(kind, "")
        groups = next((entry[place] for entry in entries if entry["source"] == kind and place in entry), None)
        if place == "log_groups" and isinstance(groups, list) and value:
            groups.append(value)
        else:
            entries.append({"source": kind, **({place: _write_place(place, value)} if place and value else {})})
    return list(entries)


def _split_kinds(answer: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, answer.split(","))):
        kind, _, value = part.partition(":")
        yield kind.strip(), value.strip()


def _write_place(place: str, value: str) -> Plain:
    if place == "log_groups":
        return [value]
    # A kubeconfig is named by a reference; a path alone means its file.
    return f"file:{value}" if place == "kubeconfig" and not SecretReference.parse(value) else value


@dataclass(frozen=True)
class Judgement:
    """The file that results from the answers, with its faults and warnings."""

    text: str
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()

    def at(self, question: Question) -> tuple[Fault, ...]:
        """Return the faults of one answer."""
        return tuple(fault for fault in self.faults if question.covers(fault.path))


def judge_answers(mode: Mode, values: Mapping[Question, str], environ: Mapping[str, str], *, schema: str = "") -> Judgement:
    """Fill the template for `mode` with answers, and find every rule that it breaks."""
    text = fill_template(
        render_template(mode, schema=schema), {question.path: parse_answer(question, answer) for question, answer in values.items()}
    )
    tree = parse(text)
    if isinstance(tree, Malformed) or not isinstance(tree, Sections):
        raise ValueError(
            f"a filled template can't be read: {explain_yaml_error(tree, text).why if isinstance(tree, Malformed) else 'no sections'}"
        )
    # The mode is taken from the text: it is an answer too, and may be wrong.
    outcome = judge(tree, environ=environ, mode=None)
    return Judgement(text, outcome.faults, tuple(fault for fault in outcome.config.faults(mode) if fault.warning))


def find_objections(question: Question, before: Judgement, after: Judgement, answered: tuple[Question, ...]) -> tuple[Problem, ...]:
    """Find the problems of an answer: its own, and those that it causes at earlier answers."""
    known = {(fault.code, fault.path) for fault in before.faults}
    caused = [fault for earlier in answered if earlier != question for fault in after.at(earlier) if (fault.code, fault.path) not in known]
    return tuple(to_problem(fault) for fault in (*after.at(question), *caused))


def find_unwritable(question: Question, answer: str) -> Problem | None:
    """Explain why an answer can't be written at all: control characters, or a tag without its value."""
    if not answer.isprintable():
        return Problem(
            code="INTERACTIVE-ANSWER",
            what=f"This answer for {question.key} has control characters in it.",
            why="They come from an arrow key, Escape or pasted text.",
            do=("Type the answer again by hand.",),
        )
    pairs = answer.strip("{}").split(",") if question.kind == "mapping" and answer.strip("{} ") else []
    if any("=" not in pair and ":" not in pair for pair in pairs):
        return Problem(
            code="INTERACTIVE-ANSWER",
            what=f"This answer for {question.key} must consist of pairs.",
            why="Each entry has a key and a value.",
            do=("Write it like this: team=platform, cost-center=4711",),
        )
    return None


def not_yes_or_no(question: Question) -> Problem:
    """Build the problem of a yes-or-no question that was answered with something else."""
    return Problem(
        code="INTERACTIVE-ANSWER",
        what=f"This answer for {question.key} must be yes or no.",
        why="It opens more questions, or leaves them out.",
        do=("Type yes or no.",),
    )


def to_problem(fault: Fault) -> Problem:
    """Convert the fault of an answer, which is in no file yet, to a Problem."""
    return Problem(code=fault.code, what=fault.what, why=fault.why, do=fault.do, aws_docs=fault.aws_docs)


def fill_template(template: str, values: Mapping[FieldPath, Plain]) -> str:
    """Fill a template: replace the value of each field.

    `edit.put` can do this in any file, value by value; a template has every setting on a line of its own, which is much
    quicker, and each answer is judged by the whole file.
    """
    tree = _parse_template(template)
    lines = template.split("\n")
    for path, value in values.items():
        place = find_position(tree, path)
        if place.node is None:
            raise LookupError(f"the template has no {path}")
        line = lines[place.key.line - 1]
        written = "" if value == "" else render_value(value)
        lines[place.key.line - 1] = f"{line[: place.key.column - 1]}{path[-1]}: {written}".rstrip()
    return "\n".join(lines)


@cache
def _parse_template(template: str) -> Tree:
    """Parse a template once; the same one is filled after every answer."""
    tree = parse(template)
    if isinstance(tree, Malformed):
        raise ValueError(f"the template is no YAML: {tree.says}")
    return tree


def parse_answer(question: Question, answer: str) -> Plain:
    """Parse an answer: `a, b` is a list, `key=value, key=value` are pairs, with brackets or without."""
    match question.kind:
        case "sources":
            return parse_sources(answer)
        case "list":
            return [part.strip("\"'") for part in _split(answer, "[]")]
        case "mapping":
            return dict(map(_split_pair, _split(answer, "{}")))
    return answer


def _split(answer: str, brackets: str) -> list[str]:
    inner = answer[1:-1] if answer[:1] + answer[-1:] == brackets else answer
    return [part.strip() for part in inner.split(",") if part.strip()]


def _split_pair(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=") if "=" in part else part.partition(":")
    return key.strip().strip("\"'"), value.strip().strip("\"'")


# Settings that every user has to decide; the others have defaults and are asked on demand.
FIRST: Mapping[Mode, tuple[str, ...]] = {
    "production": (
        "mode", "name", "aws.region", "aws.account_id", "aws.vpc_id", "aws.subnet_id", "deployment.domain_name",
        "deployment.hosted_zone_id", "tls.source", "tls.challenge", "deployment.ssl_cert_path", "deployment.ssl_key_path",
        "deployment.ssl_ca_path",
    ),
    "local": ("mode", "name", "services.recording"),
}  # fmt: skip
# Questions that apply only after this answer to another one; "" means any answer that is not empty.
ONLY_AFTER = {
    "aws.subnet_id": ("aws.vpc_id", ""),
    "credentials.client_id": ("credentials.user_pool_id", ""),
    "credentials.client_secret": ("credentials.client_id", ""),
    "deployment.ssl_cert_path": ("tls.source", "files"),
    "deployment.ssl_key_path": ("tls.source", "files"),
    "deployment.ssl_ca_path": ("tls.source", "files"),
    **{f"tls.{field}": ("tls.source", "letsencrypt") for field in ("challenge", "email", "staging", "directory_url", "directory_ca_path")},
}
MORE = "optional settings"
OWN = "systems of your own"


def find_mode(answers: Answers) -> Mode:
    """Return the chosen mode; production before the choice."""
    return "local" if answers.get("mode") == "local" else "production"


def select_questions(answers: Answers, environ: Mapping[str, str]) -> tuple[Question, ...]:
    """Select the questions for these answers. An answer changes only the questions after it."""
    asked = tuple(question for question in _plan_questions(answers) if _applies(question, answers))
    while demanded := tuple(_find_demanded(asked, answers, environ)):
        asked += demanded
    return asked


def select_settings(asked: tuple[Question, ...], answers: Answers) -> dict[Question, str]:
    """Select the answers that go into the file: not those of gates, nor of questions that no longer apply."""
    return {question: answers[question.key] for question in asked if question.kind != "gate" and question.key in answers}


def _plan_questions(answers: Answers) -> Iterator[Question]:
    by_key = {question.key: question for question in list_questions()}
    first = [by_key[key] for key in FIRST[find_mode(answers)]]
    sources = [question for question in list_questions() if question.kind == "sources"]
    yield from first
    yield build_gate(
        OWN, "Answer about clusters, logs and metrics of your own? They are only read. no: about an incident that was recorded."
    )
    if answers.get(OWN) == "yes":
        yield from sources
    if find_mode(answers) == "local":
        return
    yield build_gate(MORE, "Everything else has a default. Look at the optional settings as well?")
    if answers.get(MORE) == "yes":
        yield from _plan_optional([question for question in list_questions() if question not in (*first, *sources)], answers)


def _plan_optional(rest: list[Question], answers: Answers) -> Iterator[Question]:
    """Plan the optional settings, section by section. A setting with only one choice is no question."""
    open_ones = [question for question in rest if len(question.choices) != 1]
    for section in dict.fromkeys(question.section for question in open_ones):
        inside = [question for question in open_ones if question.section == section]
        if not any(_applies(question, answers) for question in inside):
            continue
        if section:
            door = build_gate(f"optional {section}", f"Set any of {', '.join(str(question.path[-1]) for question in inside)}?")
            yield door
            if answers.get(door.key) != "yes":
                continue
        yield from inside


def _applies(question: Question, answers: Answers) -> bool:
    if question.key not in ONLY_AFTER:
        return True
    other, wanted = ONLY_AFTER[question.key]
    return answers.get(other) == wanted if wanted else bool(answers.get(other))


def _find_demanded(asked: tuple[Question, ...], answers: Answers, environ: Mapping[str, str]) -> Iterator[Question]:
    """Find settings that the rules call missing or wrong and that were not asked for."""
    faults = judge_answers(find_mode(answers), select_settings(asked, answers), environ).faults
    for question in list_questions():
        if question not in asked and any(question.covers(fault.path) for fault in faults):
            yield question
