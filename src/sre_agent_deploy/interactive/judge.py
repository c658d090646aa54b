"""Fill the template with answers and apply the configuration's own rules to it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sre_agent_deploy.config.document import Malformed, Plain, Tree, find_position, parse
from sre_agent_deploy.config.document import Mapping as Sections
from sre_agent_deploy.config.fault import Fault, FieldPath, Mode
from sre_agent_deploy.config.load import judge
from sre_agent_deploy.config.read_text import explain_yaml_error
from sre_agent_deploy.config.template import render_template
from sre_agent_deploy.edit.file import render_value
from sre_agent_deploy.interactive.question import Question, parse_sources
from sre_core.problem import Problem


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
