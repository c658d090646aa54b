"""Names in a question: which words name an object, and which of the names that exist they mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sre_agent.question.common_words import COMMON
from sre_agent.question.wording import list_slips, split_words

LONGEST_NAME = 4  # words that together may spell one name: "the ledger primary db pod"
NEAREST = 3
SHORTEST_SLIP = 5  # letters of a name in which a slip is looked for
_QUOTED = re.compile(r"[`\"\u201c]([A-Za-z0-9][\w.:/-]{0,100})[`\"\u201d]|(?<!\w)'([A-Za-z0-9][\w.:/-]{0,100})'(?!\w)")
_SUFFIX = re.compile(r"[-_](?:service|svc|api|app|server|deployment)$")
_KINDS_OF = re.compile(r"(?:per|each|micro|multi|cross|inter|self|non|out-of|in|by|of)-")
_KIND = r"(?:service|svc|deployment|workload|pod|container|app|application|component|statefulset|daemonset|microservice|node|host|machine)"
_NAME = r"(?P<name>[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?)"
# Places in a sentence where an object is named, so that a word there that names nothing is a name that does not exist.
_PLACES = (
    re.compile(rf"\b(?:{_KIND})\s+(?:named\s+|called\s+)?{_NAME}"),
    re.compile(rf"{_NAME}\s+(?:{_KIND})\b"),
    re.compile(rf"\b(?:with|of|for|to|into|about|by|on|in|inside|does|did|has|have)\s+(?:the\s+|our\s+|my\s+)?{_NAME}(?:\s|$)"),
    re.compile(rf"\b(?:is|are|was|were|if|whether|how is|has|did|does|do)\s+(?:the\s+|our\s+|my\s+)?{_NAME}\s+\w+"),
    re.compile(
        rf"\b(?:restart|scale|drain|cordon|roll ?back|reboot|kill|delete|fix|check|diagnose|investigate"
        rf"|troubleshoot|revert|stop|start)"
        rf"\s+(?:the\s+|our\s+)?{_NAME}"
    ),
    re.compile(rf"\b{_NAME}'s\b"),
    re.compile(rf"^{_NAME}\s+(?:is\s+|are\s+)?(?:broken|down|dead|failing)\b"),
    re.compile(rf"\b{_NAME}\s+(?:logs?|errors?|pods?|memory|cpu|latency|metrics?|replicas?)\b"),
)
# "The billing service" names one for sure, "the billing pods" may mean those of a name that begins so.
_OF_A_KIND = re.compile(rf"\b(?:the|our|my) {_NAME} (?:service|deployment|microservice|statefulset|daemonset)\b")
# The subject of a statement: "ledger is broken since noon", "since noon our ledger keeps failing", "and ledger crashed".
_STATED = re.compile(
    r"(?:^|\b(?:and|but|so|or|because|if|that|since|noon|midnight|today|yesterday|now|again|hey|hi|\d[\w:]*)\s+)(?:our |the |my )?"
    rf"{_NAME}\s+(?:is|are|was|were|has|have|had|keeps?|seems?|looks?|went|goes|got|gets|just|still|does|did|can|could|will|would|fails?"
    r"|failed|failing|crash(?:es|ed|ing)?|died|dies|broke|broken|down|dead|returns?|throws?|stopped|hangs?|hung|times?|needs?|not)\b"
)
# "Is anything else broken besides orders": what is named there is what the question is not about.
_LEAVES_OUT = re.compile(
    r"\b(?:besides|apart from|aside from|other than|except|excluding|not counting|in addition to)\b(?P<names>.*)", re.I
)
_BEFORE_ELSE = re.compile(r"(?P<names>.*)(?<!\bnothing )\belse\b", re.I)
# The shape of a generated or composed name: no English word has a digit or a dot in it, and few have a hyphen.
_SHAPED = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:[-_.][a-z0-9]+)+")
_INFLECTED = re.compile(r"[a-z]{3,}(?:est|ly|ed)")  # "slowest", "slowly", "restarted": words of a sentence, no names
_SYNONYMS = {"database": "db", "postgres": "db", "databases": "db"}


@dataclass(frozen=True)
class Mention:
    """A word in the place of a name. A quoted one, or one with the shape of a generated name, can be nothing else.

    `stated` is the subject of a statement, which may be a thing of the business as well: "invoices are late".
    """

    text: str
    explicit: bool
    stated: bool = False


def find_mentions(text: str, clauses: Iterable[str] = ()) -> tuple[Mention, ...]:
    """Find the words of a normalized question, and of its clauses, in the position of a name that are no common words."""
    quoted = [Mention((one or other).lower(), True) for one, other in _QUOTED.findall(text)]
    shaped = [Mention(word, True) for word in split_words(text) if _SHAPED.fullmatch(word) and not _is_common(word)]
    kinded = [Mention(found["name"], True) for found in _OF_A_KIND.finditer(text) if not _is_common(found["name"])]
    placed = [
        Mention(found["name"], False)
        for place in _PLACES
        for found in place.finditer(text)
        if not _is_common(found["name"]) and not _is_slip(found["name"])
    ]
    subjects = (found["name"] for clause in (text, *clauses) for found in _STATED.finditer(clause))
    stated = [Mention(name, False, True) for name in subjects if not _is_common(name) and not _is_slip(name)]
    unique = {mention.text: mention for mention in (*placed, *stated, *kinded, *shaped, *quoted)}
    return tuple(sorted(unique.values(), key=lambda mention: text.find(mention.text)))


def _is_slip(word: str) -> bool:
    """Return True for a common word with two letters exchanged: nothing is named so in "whats wrnog with the ledger"."""
    exchanged = (f"{word[:place]}{word[place + 1]}{word[place]}{word[place + 2 :]}" for place in range(len(word) - 1))
    return len(word) >= SHORTEST_SLIP and any(other in COMMON for other in exchanged)


def match_names(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Find the names that a text mentions: whole, without what many names end in, in several words, or in the plural."""
    known = sorted(names, key=lambda name: (-len(name), name))
    spellings = list(_spell(split_words(text.lower())))
    taken: set[int] = set()
    found: dict[str, int] = {}
    for rank in (_whole, _stem, _variant):
        for spelling, positions in spellings:
            match = next((name for name in known if rank(spelling, name.lower())), "")
            if match and not taken & positions:
                taken |= positions
                found.setdefault(match, min(positions))
    return tuple(sorted(found, key=lambda name: found[name]))


def match_left_out(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Find the names that a text excludes: those after "besides" and the like, or before "else"."""
    excluded = _LEAVES_OUT.search(text) or _BEFORE_ELSE.search(text)
    return match_names(excluded["names"], names) if excluded else ()


def strip_left_out(text: str) -> str:
    """Return a text without the names that it excludes."""
    return _LEAVES_OUT.sub(" ", text)


def correct_name(name: str, names: Iterable[str]) -> str:
    """Return the only name from which a word differs by one slip of the keyboard; empty where there is none, or more than one."""
    if len(name) < SHORTEST_SLIP or not name.replace("-", "").isalpha():
        return ""
    slips = frozenset(list_slips(name))
    found = {other for other in names if {other, _SUFFIX.sub("", other)} & slips}
    return found.pop() if len(found) == 1 else ""


def nearest_names(name: str, names: Iterable[str], least: float = 0.5) -> tuple[str, ...]:
    """Return the names that look most like one that does not exist, if they look so much like it."""
    by_stem = {name: _SUFFIX.sub("", name) for name in names}
    scores = {
        other: max(difflib.SequenceMatcher(None, name, stem).ratio(), difflib.SequenceMatcher(None, name, other).ratio())
        for other, stem in by_stem.items()
    }
    ranked = sorted(scores, key=lambda other: (-scores[other], other))
    return tuple(other for other in ranked if scores[other] >= least)[:NEAREST]


def _is_common(word: str) -> bool:
    """Return True for a common word, also one that is put together of common words (`out-of-memory`), a number or a time.

    `search-service` is a name all the same.
    """
    if _SUFFIX.search(word) and not _KINDS_OF.match(word):
        return False
    parts = [part for part in re.split(r"[-_.:/]", word) if part]
    return all(part in COMMON or _singular(part) in COMMON or part[0].isdigit() or _INFLECTED.fullmatch(part) for part in parts)


def _spell(words: tuple[str, ...]) -> Iterator[tuple[str, set[int]]]:
    """Yield each run of words joined as a name, the longest first, with the positions of its words."""
    for length in range(LONGEST_NAME, 0, -1):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            positions = set(range(start, start + length))
            yield "-".join(run), positions
            if any(word in _SYNONYMS for word in run) and length > 1:
                yield "-".join(_SYNONYMS.get(word, word) for word in run), positions


def _whole(spelling: str, name: str) -> bool:
    return spelling == name and (spelling not in COMMON)


def _stem(spelling: str, name: str) -> bool:
    stem = _SUFFIX.sub("", name)
    return len(stem) > 2 and spelling not in COMMON and spelling in {stem, f"{stem}-service"} and spelling != name


def _variant(spelling: str, name: str) -> bool:
    """Return True where a name differs by a plural, or begins with the only word that the text says of it."""
    stem = _SUFFIX.sub("", name)
    if len(stem) < 3 or spelling in COMMON:
        return False
    return _singular(spelling) in {stem, name, _singular(stem)} or (spelling, stem) in {(f"{stem}s", stem), (f"{stem}ing", stem)}


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
