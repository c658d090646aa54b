"""Ranking of runbooks for a question: Okapi BM25 over weighted fields."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sre_services.runbooks.model import Runbook, Section

_K1, _B = 1.2, 0.75
_WORD = re.compile(r"[a-z0-9]+")
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a again after an and are as at be by can do for from has have in is it its no not of on or out that the their to was with"
    )
)
_ENDINGS = re.compile(r"(?<=\w{3})(?:ing|ed|es|s)$")
# The fields that say what a runbook is for count more than its text.
_TITLE, _TYPES, _SYMPTOMS, _SERVICES = 4, 4, 3, 2


@dataclass(frozen=True)
class Hit:
    """A runbook that fits a question, with its best section."""

    runbook: Runbook
    section: Section | None
    score: float


def split_words(text: str) -> list[str]:
    """Split a text into words in lower case, without endings and stop words: `Crashing_Pods` gives crash and pod."""
    # Some terms are written both as one word and as two.
    apart = _JOINT.sub(" ", text).lower().replace("crashloop", "crash loop").replace("oomkilled", "oom killed")
    return [_ENDINGS.sub("", word) for word in _WORD.findall(apart) if word not in _STOP_WORDS]


def rank_runbooks(runbooks: Sequence[Runbook], question: str) -> list[Hit]:
    """Rank the runbooks that have a word of the question, the best first; without a question, return all of them without scores."""
    asked = split_words(question)
    if not asked:
        return [Hit(runbook, None, 0.0) for runbook in runbooks]
    scores = score_documents([_document(runbook) for runbook in runbooks], asked)
    hits = [Hit(runbook, _best(runbook.sections, asked), score) for runbook, score in zip(runbooks, scores, strict=True) if score > 0]
    return sorted(hits, key=lambda hit: (-hit.score, hit.runbook.id))


def score_documents(documents: Sequence[Counter[str]], asked: Iterable[str]) -> list[float]:
    """Score each document for the words of the question."""
    lengths = [document.total() for document in documents]
    usual = sum(lengths) / max(len(lengths), 1) or 1.0
    weights = {word: _rarity(sum(word in document for document in documents), len(documents)) for word in set(asked)}
    return [
        sum(
            weight * document[word] * (_K1 + 1) / (document[word] + _K1 * (1 - _B + _B * length / usual))
            for word, weight in weights.items()
        )
        for document, length in zip(documents, lengths, strict=True)
    ]


def _document(runbook: Runbook) -> Counter[str]:
    weighted = [(runbook.title, _TITLE), (runbook.id, _TYPES), *((kind, _TYPES) for kind in runbook.incident_types)]
    weighted += [*((symptom, _SYMPTOMS) for symptom in runbook.symptoms), *((service, _SERVICES) for service in runbook.services)]
    weighted += [(section.text, 1) for section in runbook.sections]
    counts: Counter[str] = Counter()
    for text, weight in weighted:
        counts.update({word: count * weight for word, count in Counter(split_words(text)).items()})
    return counts


def _best(sections: Sequence[Section], asked: Sequence[str]) -> Section | None:
    scores = score_documents([Counter(split_words(f"{section.heading} {section.text}")) for section in sections], asked)
    return max(zip(scores, sections, strict=True), key=lambda pair: pair[0])[1] if any(scores) else None


def _rarity(having: int, total: int) -> float:
    return math.log(1 + (total - having + 0.5) / (having + 0.5))
