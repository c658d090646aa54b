"""The parts that every look-up uses: the parsed question, the tools with a record of their calls, and the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sre_agent.calls import SAMPLES, CountedTools
from sre_agent.evidence import Answer, Argument, EvidenceLog, Excerpt
from sre_agent.question.intent import Cue, Intent
from sre_agent.report import Claim, Proposal
from sre_agent.scope import Scope
from sre_agent.tools import Tool

MOST_PAGES = 8  # of one list, beyond its first
MOST_LINES = 8  # below a headline; with gaps and a hint an answer has at most twelve lines


@dataclass(frozen=True)
class Subject:
    """The object that a question is about."""

    name: str
    kind: str = "service"
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer: a headline, lines with their evidence, and what to ask or type next."""

    headline: str
    lines: Sequence[Claim] = ()
    hint: str = ""
    verdict: str = "answered"
    subject: Subject | None = None
    proposal: Proposal | None = None


@dataclass
class View:
    """One question while it is answered: where to look, and every call that was made."""

    prompt: str
    intent: Intent
    scope: Scope
    tools: CountedTools
    log: EvidenceLog
    subject: Subject | None = None
    left_out: Subject | None = None
    answers: list[Answer] = field(default_factory=list)

    @property
    def words(self) -> str:
        return self.intent.words

    @property
    def name(self) -> str:
        """The name of the subject; empty where the question is about everything."""
        return self.subject.name if self.subject else ""

    @property
    def of_subject(self) -> str:
        """The words for a headline: ` of NAME`, empty where the question is about everything."""
        return f" of {self.name}" if self.subject else ""

    @property
    def during(self) -> str:
        """The words for the time that was looked at."""
        return f"from {self.scope.start} to {self.scope.end}" if self.scope.until else f"in the last {_spell(self.scope.start)}"

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation."""
        return self.tools.offered()

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Call a tool, read on where a list was cut, and keep the answer, with its failure if it has one."""
        answer = await self.tools.call(operation, **arguments)
        if operation not in SAMPLES:
            read = await self.tools.read_on({operation: answer}, (operation,), min(MOST_PAGES, self.tools.left))
            answer = read[operation]
        self.answers.append(answer)
        return answer

    def cite(self, answer: Answer, text: str) -> tuple[str, ...]:
        """Record an excerpt of an answer, and return the citation."""
        return (self.log.record(Excerpt(answer, text)),)


type Look = Callable[[View], Awaitable[Said]]


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """One kind of question: the words by which it is recognised, an example, and how it is answered.

    `about` says what its subject is: a service or pod (which must exist), or only words.
    """

    kind: str
    example: str
    cues: tuple[Cue, ...]
    look: Look | None
    about: str = "service"


def _spell(duration: str) -> str:
    """Spell a duration of tools (`120m`) for people."""
    minutes = int(duration.removesuffix("m"))
    if minutes % 1440 == 0:
        return f"{minutes // 1440} days" if minutes > 1440 else "24 hours"
    if minutes % 60 == 0:
        return f"{minutes // 60} hours" if minutes > 60 else "hour"
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
