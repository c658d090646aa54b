"""The intent of a question: which kind of answer it asks for, and the words that it uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sre_agent.question.common_words import COMMON
from sre_agent.question.examples import load_examples
from sre_agent.question.language import find_foreign_language
from sre_agent.question.names import Mention, find_mentions
from sre_agent.question.wording import correct_spelling, normalize

CAPABILITIES = "capabilities"
LANGUAGE = "language"
DECIDES = 3  # the weight from which a kind is what a question asks for
# The margin from which examples overrule a kind that cues found. Much that happened is said in questions for something else, too.
OVERRULED = {CAPABILITIES: 0.1, "diagnosis": 0.7}
OVERRULES = 1.5  # any other kind: cues for these are exact
_REFERS = re.compile(r"\b(it|its|it's|that|this|they|their|them|there|same|those|else)\b")
_CONTINUES = re.compile(r"^(and|also|what about|how about|now|then|or|but)\b")
# A person says first what happened, and asks last: "Payments fail and I can't fix it myself, who should I call?"
_CLAUSES = re.compile(r"[,;!?]\s+|[.:]\s+|\s+-+\s+|\s*[\u2013\u2014]\s*|[!?.]+$")
# "I'd like to know which runbook covers it" asks what "Which runbook covers it?" asks.
_LEADS_IN = re.compile(
    r"^(please |can you |could you )?(i would like|i want|i need|we need|we want|would like) to (know|see|find out|understand|hear) "
)
_ASKS = re.compile(
    r"(and |so |but |or |please |can you |could you |would you |by |from |in |on |for |to |at )*"
    r"(what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|can|should|give|show|list|tell|get|find|check|count"
    r"|look|let|need|see|ask|restart|reboot|recycle|bounce|scale|add|drain|cordon|roll|revert|undo|take|put|bring|kill|delete)\b"
)


@dataclass(frozen=True)
class Cue:
    """Words that speak for one kind of question, and how much."""

    weight: int
    pattern: re.Pattern[str]


def cue(weight: int, pattern: str) -> Cue:
    """Make a cue; its pattern is searched in the normalized question."""
    return Cue(weight, re.compile(pattern))


@dataclass(frozen=True, kw_only=True)
class Intent:
    """The kind of a question, its normalized words, the names in it, and whether it continues the question before."""

    kind: str
    words: str
    mentions: tuple[Mention, ...] = ()
    continues: bool = False
    language: str = ""


def parse_intent(prompt: str, kinds: Mapping[str, Sequence[Cue]]) -> Intent:
    """Parse a question into its intent: the kind whose cues weigh most. Equal weights: the kind that comes first."""
    words = _LEADS_IN.sub("", normalize(prompt))
    language = find_foreign_language(prompt)
    if language:
        return Intent(kind=LANGUAGE, words=words, language=language)
    last = _find_last_clause(prompt, kinds)
    # "Payment is down, is anything else?" leaves out what it names before.
    if last and words.endswith(last) and words != last and not re.search(r"\belse\b", last):
        words = " ".join((last, words[: len(words) - len(last)])).strip()
    kind = _weigh(last or words, kinds)
    if kind == CAPABILITIES:
        # "web ok? I mean web-2": what one of the clauses asks.
        kind = next((found for clause in reversed(_split_clauses(prompt)) if (found := _weigh(clause, kinds)) != CAPABILITIES), kind)
    # A name may look like a word with a slip in it, so that words are corrected only where they say nothing as they are.
    corrected = correct_spelling(words, COMMON) if kind == CAPABILITIES else words
    if corrected != words and _weigh(corrected, kinds) != CAPABILITIES:
        words, kind = corrected, _weigh(corrected, kinds)
    continues = bool(_CONTINUES.search(words) or _REFERS.search(words))
    # "What about the other one?" asks what was asked before.
    kind = kind if continues and kind == CAPABILITIES else _ask_examples(prompt, kind, kinds)
    return Intent(kind=kind, words=words, mentions=find_mentions(_keep_quotes(prompt), _split_clauses(prompt)), continues=continues)


def _ask_examples(prompt: str, kind: str, kinds: Mapping[str, Sequence[Cue]]) -> str:
    """Return the kind that similar questions are of, where it is clear; else the one that the cues found."""
    guess = load_examples().guess(prompt)
    if guess is None or guess.kind not in kinds:
        return kind
    return guess.kind if guess.margin >= OVERRULED.get(kind, OVERRULES) else kind


def _split_clauses(prompt: str) -> list[str]:
    return [normalize(clause) for clause in _CLAUSES.split(prompt.strip()) if clause and clause.strip()]


def _find_last_clause(prompt: str, kinds: Mapping[str, Sequence[Cue]]) -> str:
    """Return the last of several clauses, normalized, if it asks for something by itself: its words come first then."""
    clauses = _split_clauses(prompt)
    last = clauses[-1] if len(clauses) > 1 and _ASKS.match(clauses[-1]) else _find_question(prompt, kinds)
    if last and _weigh(last, kinds) == CAPABILITIES:
        last = correct_spelling(last, COMMON)
    return last if _weigh(last, kinds) != CAPABILITIES else ""


def _find_question(prompt: str, kinds: Mapping[str, Sequence[Cue]]) -> str:
    """Return the last clause with a question mark, where others have none and it asks for something: "memory of orders? feels high"."""
    asked = [normalize(re.split(r"\s-+\s|\u2014", clause)[-1]) for clause in re.findall(r"([^.,;:!?]+)\?", prompt)]
    several = len(_split_clauses(prompt)) > 1
    return next((clause for clause in reversed(asked) if several and _weigh(clause, kinds) != CAPABILITIES), "")


def _weigh(words: str, kinds: Mapping[str, Sequence[Cue]]) -> str:
    weights = {kind: sum(found.weight for found in cues if found.pattern.search(words)) for kind, cues in kinds.items()}
    best = max(weights, key=lambda kind: weights[kind], default=CAPABILITIES)
    return best if weights.get(best, 0) >= DECIDES else CAPABILITIES


def _keep_quotes(prompt: str) -> str:
    """Normalize a question and keep the names that it quotes as they are written."""
    quoted = re.findall(r"[`\"][^`\"\n]{1,100}[`\"]", prompt)
    return " ".join((normalize(prompt), *(text.lower() for text in quoted)))
