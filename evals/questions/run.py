"""Ask the questions, and the same in other words, over recordings: is each answered in kind, and with the answer that was reviewed?"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.recorded_tools import RecordedTools
from sre_agent import supervisor
from sre_agent.brief import render_brief
from sre_agent.reasoners import DEFAULT, create_reasoner
from sre_agent.report import Report

FOLDER = Path(__file__).parent
RECORDINGS = ("crash-loop", "memory-leak")
GOAL = 0.9  # the share of wordings that are to be answered in kind
ENDS = "2026-11-26T10:30:00Z"  # a Thursday, far from now: the time of an answer is that of the recording


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, what an answer in kind has, and the same question in other words."""

    text: str
    kind: str
    subject: str = ""
    verdict: str = ""
    paraphrases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One wording of a question, and the report that answered it."""

    text: str
    question: Question
    report: Report

    @property
    def in_kind(self) -> bool:
        """True when the answer is of the kind that was asked for, about the right object."""
        verdict, kind = self.question.verdict, self.report.kind
        right = self.report.verdict == verdict if verdict == "not_found" else kind == self.question.kind
        return right and (not self.question.subject or self.report.subject.get("name") == self.question.subject)


def read_questions() -> tuple[Question, ...]:
    """Read the questions."""
    found = tomllib.loads((FOLDER / "questions.toml").read_text(encoding="utf-8"))["question"]
    return tuple(Question(**{**one, "paraphrases": tuple(one.get("paraphrases", ()))}) for one in found)


def read_wordings() -> tuple[Question, ...]:
    """Read the further wordings, each as a question of its own."""
    lines = (FOLDER / "wordings.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split(" | ") for line in lines if not line.startswith("#"))
    return tuple(
        Question(text=text, kind=kind, subject=subject.strip(), verdict=kind if kind == "not_found" else "") for kind, subject, text in rows
    )


def ask_all(recording: str, questions: Sequence[Question]) -> list[Asked]:
    """Ask each question as it is written."""
    return _ask(recording, [(question.text, question) for question in questions])


def ask_paraphrases(recording: str, questions: Sequence[Question]) -> list[Asked]:
    """Ask each question in its other words."""
    return _ask(recording, [(text, question) for question in questions for text in question.paraphrases])


def render_answers(recording: str, asked: Sequence[Asked]) -> str:
    """Render answers as the file beside the questions, with ids that do not change."""
    parts = [f"# Answers over the recording {recording}\n"]
    for one in asked:
        # Each detector that is added moves the numbers of a diagnosis' evidence.
        ids = r"inv-[0-9a-f]+-" if one.report.headline else r"inv-[0-9a-f]+-e\d+"
        answer = re.sub(ids, "" if one.report.headline else "e", render_brief(one.report)).removeprefix("# ")
        parts.append(f"## {one.text}\n\n{answer}")
    return "\n".join(parts)


def score(questions: Sequence[Question]) -> Iterator[str]:
    """Yield a line for each wording that was not answered in kind, then the share of those that were."""
    asked = [one for recording in RECORDINGS for one in _ask_each(recording, questions)]
    for one in asked:
        if not one.in_kind:
            yield f"NO  {one.text!r}: {one.report.kind} {one.report.subject.get('name', '')} {one.report.verdict}; not {one.question.kind}"
    right = sum(one.in_kind for one in asked)
    yield f"{right / len(asked):.3f} answered in kind ({right} of {len(asked)})"


def _ask_each(recording: str, questions: Sequence[Question]) -> list[Asked]:
    return [*ask_all(recording, questions), *ask_paraphrases(recording, questions), *ask_all(recording, read_wordings())]


def _ask(recording: str, wordings: Sequence[tuple[str, Question]]) -> list[Asked]:
    async def run() -> list[Asked]:
        tools, reasoner = RecordedTools(recording, ENDS), create_reasoner(DEFAULT, {})
        return [Asked(text=text, question=one, report=await supervisor.investigate(text, tools, reasoner)) for text, one in wordings]

    return asyncio.run(run())
