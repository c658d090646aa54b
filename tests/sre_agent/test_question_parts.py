"""The parts of a question: times, names, language, and a kind that is added."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from evals.questions.run import read_questions, read_wordings

from sre_agent.question.intent import cue, parse_intent
from sre_agent.question.language import find_foreign_language
from sre_agent.question.names import find_mentions, match_names, nearest_names
from sre_agent.question.sides import parse_sides
from sre_agent.question.times import Period, parse_period
from sre_agent.question.wording import normalize

NOW = datetime(2026, 11, 26, 14, 35, tzinfo=UTC)  # a Thursday


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("nothing named", None),
        ("in the last 2 hours", Period(length=timedelta(hours=2))),
        ("the past half an hour", Period(length=timedelta(minutes=30))),
        ("a couple of hours ago", Period(length=timedelta(hours=2))),
        ("since 14:00", Period(start=at(26, 14))),
        ("since 2pm", Period(start=at(26, 14))),
        ("since noon", Period(start=at(26, 12))),
        ("since 16:00", Period(start=at(25, 16))),
        ("yesterday", Period(start=at(25), end=at(26))),
        ("since yesterday", Period(start=at(25))),
        ("yesterday at 9:30", Period(start=at(25, 9, 30), near=True)),
        ("yesterday before 9:30", Period(start=at(25), end=at(25, 9, 30))),
        ("around 14:00", Period(start=at(26, 14), near=True)),
        ("before 14:00", Period(end=at(26, 14))),
        ("last Tuesday", Period(start=at(24), end=at(25))),
        ("since Monday", Period(start=at(23))),
        ("last Thursday", Period(start=at(19), end=at(20))),
        ("today", Period(start=at(26))),
        ("this morning", Period(start=at(26, 5), end=at(26, 12))),
        ("between 10:00 and 11:30", Period(start=at(26, 10), end=at(26, 11, 30))),
        ("2026-11-20T10:00:00Z to 2026-11-20T09:00:00Z", Period(start=at(20, 9), end=at(20, 10))),
        ("at 5 replicas", None),
        ("2026-99-99", None),
    ],
)
def test_times(text: str, period: Period | None) -> None:
    """Durations, clock times, days and instants are understood; a number that is no time is none."""
    assert parse_period(text, NOW) == period


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("compare now with yesterday", (at(25, 13, 35), at(25, 14, 35)), (at(26, 13, 35), at(26, 14, 35))),
        ("is it slower than an hour ago", (at(26, 12, 35), at(26, 13, 35)), (at(26, 13, 35), at(26, 14, 35))),
        ("compare ledger between 10:00 and 12:00", (at(26, 9, 45), at(26, 10, 15)), (at(26, 11, 45), at(26, 12, 15))),
        ("compare ledger at 12:00 with 10am", (at(26, 9, 45), at(26, 10, 15)), (at(26, 11, 45), at(26, 12, 15))),
        ("compare 10:00-11:00 with 12:00-13:00", (at(26, 10), at(26, 11)), (at(26, 12), at(26, 13))),
        ("yesterday at 9:00 against 9:00 today", (at(25, 8, 45), at(25, 9, 15)), (at(26, 8, 45), at(26, 9, 15))),
        ("ledger now vs last tuesday", (at(24, 13, 35), at(24, 14, 35)), (at(26, 13, 35), at(26, 14, 35))),
        ("the last 30 minutes compared with the 30 minutes before", (at(26, 13, 35), at(26, 14, 5)), (at(26, 14, 5), at(26, 14, 35))),
        ("before and after 14:00", (at(26, 13, 25), at(26, 14)), (at(26, 14), at(26, 14, 35))),
        ("compare it with before", (at(26, 12, 35), at(26, 13, 35)), (at(26, 13, 35), at(26, 14, 35))),
        ("compare 14:00 with 16:00", (at(26, 13, 45), at(26, 14, 10)), (at(26, 14, 10), at(26, 14, 35))),
    ],
)
def test_two_times(text: str, before: tuple[datetime, datetime], after: tuple[datetime, datetime]) -> None:
    """Both times of a comparison are as long, do not overlap, and the later one that has not come yet is now."""
    first, second = parse_sides(normalize(text), NOW)
    assert ((first.start, first.end), (second.start, second.end)) == (before, after)
    assert second.to_come == ("16:00" in text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("is ledger ok", ["ledger-service"]),
        ("ledgers are slow", ["ledger-service"]),
        ("the ledger service", ["ledger-service"]),
        ("ledger db", ["ledger-db"]),
        ("the ledger database", ["ledger-db"]),
        ("ledger-service and edge", ["ledger-service", "edge"]),
        ("how are the nodes", []),
    ],
)
def test_names_that_exist(text: str, names: list[str]) -> None:
    """A name is found as people write it; a common word is never taken for one."""
    assert list(match_names(text, ["ledger-service", "ledger-db", "edge", "node"])) == names


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("what is wrong with billing?", ["billing"]),
        ("what is wrong with everything right now?", []),
        ("why does team-a-worker crash", ["team-a-worker"]),
        ("what happened out-of-memory on-call", []),
        ("is `the` fine", ["the"]),
        ("which service is slowest", []),
    ],
)
def test_names_that_may_not_exist(text: str, mentioned: list[str]) -> None:
    """A word in the place of a name counts if it is no common word, and always if it is quoted."""
    assert [mention.text for mention in find_mentions(text if "`" in text else normalize(text))] == mentioned


def test_nearest_names() -> None:
    """Names with a letter too few or too many are near, others are not offered."""
    assert nearest_names("legder", ["ledger-service", "edge", "zzz"])[0] == "ledger-service"
    assert nearest_names("qqqq", ["ledger-service", "edge"]) == ()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Was ist los?", "German"),
        ("Pourquoi est-ce que le service est lent ?", "French"),
        ("¿Por qué no funciona?", "Spanish"),
        ("почему", "a language in Cyrillic script"),
        ("What is the matter with die-service?", ""),
        ("OOM", ""),
        ("", ""),
    ],
)
def test_languages(text: str, language: str) -> None:
    """Another language is recognised; names and short texts are none."""
    assert find_foreign_language(text) == language


def test_a_kind_that_is_added() -> None:
    """A kind is its cues: the parser knows none by itself."""
    kinds = {"weather": (cue(5, r"\bweather\b"),), "time": (cue(4, r"\btime\b"),)}
    assert parse_intent("What's the weather?", kinds).kind == "weather"
    assert parse_intent("weather and time", kinds).kind == "weather"
    assert parse_intent("nothing of it", kinds).kind == "capabilities"


def test_a_question_that_is_like_examples() -> None:
    """A question without a cue gets the kind of similar questions, also with typing errors; nonsense gets none; a clear cue decides."""
    kinds = {kind: (cue(5, "(?!)"),) for kind in ("runbook", "pods", "escalation")}
    assert parse_intent("waht shoud i do abuot hihg latecny", kinds).kind == "runbook"
    assert parse_intent("If payments fail, which person or team do I bring in?", kinds).kind == "escalation"
    assert parse_intent("Blorf wuggle snizz tabborain", kinds).kind == "capabilities"
    assert parse_intent("restart count of payment", {"action": (), "pods": (cue(5, "count"),)}).kind == "pods"


def test_the_examples_name_nothing() -> None:
    """Kinds are learned without the names of the recordings that the examples are about."""
    names = {question.subject.partition("-")[0] for question in (*read_questions(), *read_wordings()) if question.subject}
    examples = files("sre_agent.question").joinpath("examples.txt").read_text(encoding="utf-8")
    assert [name for name in names if re.search(rf"\b{name}\b", examples, re.IGNORECASE)] == []
    assert len(names) > 5
