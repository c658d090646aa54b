"""START HERE: ask question after question, check each answer, and end with a review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sre_agent_deploy.interactive import terminal
from sre_agent_deploy.interactive.discover import Discovery, find_default_region
from sre_agent_deploy.interactive.judge import Judgement, find_objections, find_unwritable, judge_answers, not_yes_or_no, to_problem
from sre_agent_deploy.interactive.new_file import Draft
from sre_agent_deploy.interactive.proposals import NOTHING, AccountContents, list_choices, propose
from sre_agent_deploy.interactive.question import Question
from sre_agent_deploy.interactive.script import find_mode, select_questions, select_settings
from sre_agent_deploy.interactive.terminal import Said
from sre_core.problem import Problem

# Questions that the account helps to answer; only these wait for the discovery.
_FROM_ACCOUNT = {
    "aws.account_id", "aws.vpc_id", "aws.subnet_id", "deployment.domain_name", "deployment.hosted_zone_id", "deployment.key_name",
    "services.kubernetes", "services.logs", "services.metrics",
}  # fmt: skip
YES_OR_NO = {"y": "yes", "n": "no"}
# The next step: on, back, or to the question of that number.
type Move = Literal["on", "back", "quit", "save"] | int


@dataclass
class Wizard:
    """One conversation about one file. `answers` holds only what passed every check, and the draft keeps it."""

    target: str
    draft: Draft
    environ: Mapping[str, str]
    answers: dict[str, str]
    fixed: frozenset[str] = frozenset()  # given on the command line, so not asked
    _looks: dict[str, Discovery] = field(default_factory=dict)

    def run(self) -> dict[Question, str] | None:
        """Ask until the user saves or quits. Return the settings for the file, or None."""
        move: Move = "on"
        position = 0
        while move not in ("save", "quit"):
            steps = self._list_steps()
            position = self._find_position(steps, position, move)
            move = self._review(steps) if position == len(steps) else self._ask(steps, position)
        return select_settings(self._list_steps(), self.answers) if move == "save" else None

    def _list_steps(self) -> tuple[Question, ...]:
        return tuple(question for question in select_questions(self.answers, self.environ) if question.key not in self.fixed)

    def _find_position(self, steps: tuple[Question, ...], last: int, move: Move) -> int:
        if isinstance(move, int):
            return move
        if move == "back":
            return max(0, last - 1)
        return self._find_unanswered(steps)

    def _find_unanswered(self, steps: tuple[Question, ...]) -> int:
        """Find the first question without an answer, else the first whose answer became wrong, else the review."""
        judgement = self._judge(steps)
        absent = (index for index, question in enumerate(steps) if question.key not in self.answers)
        wrong = (index for index, question in enumerate(steps) if judgement.at(question))
        return next(absent, next(wrong, len(steps)))

    def _ask(self, steps: tuple[Question, ...], position: int) -> Move:
        """Ask until the answer is right, or the user goes elsewhere."""
        question, earlier = steps[position], steps[:position]
        account = self._discover(question)
        offered = list_choices(question, self.answers, account)
        terminal.explain(question, position + 1, len(steps), offered)
        problems = tuple(map(to_problem, self._judge(steps).at(question))) if question.key in self.answers else ()
        while True:
            terminal.show_objections(problems)
            said = terminal.read_answer(propose(question, self.answers, account, self._known_values()), offered)
            if not isinstance(said, Said):
                return said
            text = YES_OR_NO.get(said.text, said.text) if question.kind == "gate" else said.text
            problems = self._find_objections(question, text, earlier)
            if not problems:
                self.answers[question.key] = text
                self.draft.save(self.answers)
                return "on"

    def _find_objections(self, question: Question, text: str, earlier: tuple[Question, ...]) -> tuple[Problem, ...]:
        if question.kind == "gate":
            return () if text in question.choices else (not_yes_or_no(question),)
        if refused := find_unwritable(question, text):
            return (refused,)
        answers = {**self.answers, question.key: text}
        after = judge_answers(find_mode(answers), select_settings((*earlier, question), answers), self.environ)
        return find_objections(question, self._judge(earlier), after, earlier)

    def _review(self, steps: tuple[Question, ...]) -> Move:
        rows = [(question.key, self.answers[question.key]) for question in steps]
        notes = [f"{fault.what} {fault.why}" for fault in self._judge(steps).warnings]
        terminal.show_review(rows, notes)
        said = terminal.read_decision(self.target, len(steps))
        return said - 1 if isinstance(said, int) else said

    def _judge(self, steps: tuple[Question, ...]) -> Judgement:
        return judge_answers(find_mode(self.answers), select_settings(steps, self.answers), self.environ)

    def _discover(self, question: Question) -> AccountContents:
        """Return what the account has. Nothing is read in local mode, or before the mode is known."""
        if self.answers.get("mode") != "production":
            return NOTHING
        region = self.answers.get("aws.region") or find_default_region(self.environ) or "us-east-1"
        if region not in self._looks:
            self._looks[region] = Discovery(region, self.environ)
        return self._looks[region].wait() if question.key in _FROM_ACCOUNT else NOTHING

    def _known_values(self) -> Mapping[str, str]:
        return {**self.environ, "AWS_REGION": find_default_region(self.environ)}
