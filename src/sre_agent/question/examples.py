"""Learn the kind of a question from examples: words support a kind if its examples have them and others lack them.

The method is complement naive Bayes over words, pairs of words and pieces of four letters (Rennie et al., 2003, "Tackling the poor
assumptions of naive Bayes text classifiers"). `examples.txt` has a line for each example, its kind first; a name of an object is
written NAME. To teach a wording, add a line to `evals/questions/wordings.txt` and run `make generate`.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

from sre_agent.question.common_words import COMMON
from sre_agent.question.wording import correct_spelling, normalize

_SMOOTHING = 0.5  # added to each count, so that a piece that one kind alone has decides nothing by itself
_PIECE = 4  # letters: "erorrs" still has "rors"
_KNOWN = 0.5  # the share of words that some example has, below which a text is no question that was learned


@dataclass(frozen=True)
class Guess:
    """The likeliest kind of a question, and by how much its logarithmic weight exceeds that of the next."""

    kind: str
    margin: float


class Examples:
    """Kinds of questions, learned from examples of each."""

    def __init__(self, examples: Iterable[tuple[str, str]]) -> None:
        self._kinds = {normalize(text): kind for kind, text in examples}
        read = [(kind, _split(text)) for text, kind in self._kinds.items()]
        self._number = len(read)
        self._having = Counter(feature for _, features in read for feature in features)
        self._weights: dict[str, dict[str, float]] = {kind: defaultdict(float) for kind, _ in read}
        self._all: dict[str, float] = defaultdict(float)
        for kind, features in read:
            for feature, weight in self._weigh(features).items():
                self._weights[kind][feature] += weight
                self._all[feature] += weight
        self._sums = {kind: sum(weights.values()) for kind, weights in self._weights.items()}

    def guess(self, prompt: str) -> Guess | None:
        """Guess the kind of a question; None where most of its words are in no example."""
        if kind := self._kinds.get(normalize(prompt)):
            return Guess(kind, math.inf)
        features = _split(correct_spelling(normalize(prompt), COMMON))
        words = [feature for feature in features if feature.isalpha()]
        if not words or sum(word in self._having for word in words) < _KNOWN * len(words):
            return None
        weights, total = self._weigh(features), sum(self._sums.values())
        scores: dict[str, float] = {}
        for kind, own in self._weights.items():
            others = total - self._sums[kind] + _SMOOTHING * len(self._having)
            scores[kind] = -sum(
                weight * math.log((self._all[feature] - own.get(feature, 0.0) + _SMOOTHING) / others) for feature, weight in weights.items()
            )
        best, second = sorted(scores, key=lambda kind: -scores[kind])[:2]
        return Guess(best, scores[best] - scores[second])

    def _weigh(self, features: frozenset[str]) -> Mapping[str, float]:
        """Weigh what is rare among the examples more, and all of a text as much as all of another."""
        rare = {feature: math.log(1 + self._number / self._having[feature]) for feature in features if feature in self._having}
        length = math.sqrt(sum(weight * weight for weight in rare.values())) or 1.0
        return {feature: weight / length for feature, weight in rare.items()}


@cache
def load_examples() -> Examples:
    """Learn from the examples of this package, once: it takes a quarter of a second."""
    lines = files("sre_agent.question").joinpath("examples.txt").read_text(encoding="utf-8").splitlines()
    return Examples((kind, text) for kind, _, text in (line.partition(" | ") for line in lines if not line.startswith("#")))


def _split(text: str) -> frozenset[str]:
    """Split a normalized question into its words, pairs of words and pieces of letters."""
    words = re.findall(r"[a-z']+", re.sub(r"\bname\b", " ", text))
    joined = f" {' '.join(words)} "
    pairs = (f"{one} {other}" for one, other in pairwise(words))
    pieces = (f"#{joined[start : start + _PIECE]}" for start in range(len(joined) - _PIECE + 1))
    return frozenset((*words, *pairs, *pieces, f"^{words[0] if words else ''}"))
