"""The words of a question: one spelling for each, so that patterns need not know all others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_lowercase

_SHORTEST_SLIP = 3  # letters of a word in which a slip is looked for
_SPELLINGS = (
    (re.compile(r"[\u2018\u2019\u02bc`\u00b4]"), "'"),
    (re.compile(r"[\u201c\u201d]"), '"'),
    (re.compile(r"\b(what|who|where|how|that|there|it|he|she|when|why|here)'?s\b(?!-)"), r"\1 is"),
    (re.compile(r"\b(what|who|where|how|they|we|you)'re\b"), r"\1 are"),
    (re.compile(r"\b(i|we|you|they)'ve\b"), r"\1 have"),
    (re.compile(r"\b(i|we|you|they|he|she|it)'d\b"), r"\1 would"),
    (re.compile(r"\b(i|we|you|they|he|she|it)'ll\b"), r"\1 will"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"\bcan'?t\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon'?t\b"), "will not"),
    (re.compile(r"\b(is|are|was|were|do|does|did|has|have|had|would|could|should)n'?t\b"), r"\1 not"),
    (re.compile(r"\bwhat(?:s|cha)\b"), "what is"),
    (re.compile(r"\b(?:gimme)\b"), "give me"),
    (re.compile(r"\b(?:u)\b"), "you"),
    (re.compile(r"\b(?:pls|plz)\b"), "please"),
    (re.compile(r"\bk8s\b"), "kubernetes"),
    (re.compile(r"\brn\b|\batm\b"), "right now"),
    (re.compile(r"\bwtf\b"), "what on earth"),
    (re.compile(r"\bthru\b"), "through"),
    (re.compile(r"\bppl\b"), "people"),
    (re.compile(r"\bsb\b"), "somebody"),
    (re.compile(r"\bs(?:m|o?me?)th(?:ing)?\b"), "something"),
    (re.compile(r"\bthx\b|\bty\b"), "thanks"),
    (re.compile(r"\b(?:y/n|yes or no)\b"), "or not"),
    (re.compile(r"(?<=[\s^])%(?=\s|$)"), "percent"),
    (re.compile(r"(?<![\w.-])(mem|ram)(?![\w.-])"), "memory"),
    (re.compile(r"(?<![\w-])svc(s?)(?![\w-])"), r"service\1"),
)
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9_.:-]*[a-z0-9])?", re.I)


def normalize(text: str) -> str:
    """Return the question in lower case, with contractions spelled out and one space between words."""
    found = " ".join(text.lower().split())
    for pattern, replacement in _SPELLINGS:
        found = pattern.sub(replacement, found)
    return " ".join(re.sub(r"[^\w\s'./:%-]|(?<!\w)[./:-]+|[./:-]+(?!\w)", " ", found).split())


def correct_spelling(words: str, known: frozenset[str]) -> str:
    """Return the words with each that is not known replaced by the known one from which it differs by one slip of the keyboard."""
    return " ".join(_correct(word, known) for word in words.split())


def _correct(word: str, known: frozenset[str]) -> str:
    if word in known or not word.isalpha() or len(word) < _SHORTEST_SLIP:
        return word
    # Slips are rarest in the first and in the last letter: "happend" is "happened", not "happen".
    found = (found for found in list_slips(word) if found in known)
    return min(found, key=lambda found: (found[0] != word[0], found[-1] != word[-1], found), default=word)


def list_slips(word: str) -> Iterator[str]:
    """List every word with two letters exchanged, and of longer words those with one letter more, less or another."""
    halves = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    yield from (f"{before}{after[1]}{after[0]}{after[2:]}" for before, after in halves if len(after) > 1)
    if len(word) > _SHORTEST_SLIP:
        yield from (before + after[1:] for before, after in halves if after)
        yield from (f"{before}{letter}{after[skipped:]}" for before, after in halves for letter in ascii_lowercase for skipped in (0, 1))


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a text; `orders-db` and `ip-10-0-1-17.ec2.internal` are one word each."""
    return tuple(_WORD.findall(text.replace("'s", "")))
