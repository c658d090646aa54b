"""A source that does not answer again and again is left alone for a while."""

from __future__ import annotations

import pytest

from sre_core.problem import Problem, Refused
from sre_services.sources.background import too_slow
from sre_services.sources.breaker import MOST_FAILURES, PAUSE_SECONDS, Breaker
from sre_services.sources.several import Named, Several, collect_failures


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def broken(now: Clock) -> Breaker:
    """A breaker whose source did not answer as often as may be."""
    breaker = Breaker(now)
    for _ in range(MOST_FAILURES):
        assert breaker.find_refusal() is None
        breaker.note(Refused(too_slow(8)))
    return breaker


def test_a_source_that_does_not_answer(now: Clock, broken: Breaker) -> None:
    """It is not asked for a while, and the Problem is still that of the source."""
    now.seconds += PAUSE_SECONDS - 10
    refused = broken.find_refusal()
    assert refused
    assert refused.problems[0].code == "SVC-SOURCE-SLOW"
    assert "3 times in a row, and is asked again in 10 seconds" in refused.problems[0].why


@pytest.mark.parametrize("answers", [True, False])
def test_after_the_pause(now: Clock, broken: Breaker, answers: bool) -> None:
    """One question tries it; the others wait for what becomes of that one."""
    now.seconds += PAUSE_SECONDS
    assert broken.find_refusal() is None
    assert broken.find_refusal()
    broken.note(None if answers else Refused(too_slow(8)))
    assert (broken.find_refusal() is None) is answers


def test_an_answer_between_failures(now: Clock) -> None:
    """Failures count only in a row, and a refusal is an answer."""
    breaker = Breaker(now)
    refusal = Refused(Problem(code="SVC-SOURCE-PERMISSION", what="It refuses.", why="It may.", do=("Ask.",)))
    for refused in (Refused(too_slow(8)), None, Refused(too_slow(8)), Refused(too_slow(8)), refusal) * 3:
        assert breaker.find_refusal() is None
        breaker.note(refused)


@pytest.mark.parametrize("others", [0, 1])
def test_the_sources_of_a_service(others: int) -> None:
    """The one that does not answer is asked three times, alone or beside others, and each answer still names it."""
    asked: list[str] = []

    def question(name: str) -> str:
        asked.append(name)
        if name == "broken":
            raise Refused(too_slow(8))
        return name

    sources = Several([Named(name, name) for name in ("broken", "well")[: 1 + others]])
    for _ in range(6):
        with collect_failures() as failed:
            if others:
                assert sources.ask(question) == [("well", "well")]
                assert list(failed) == ["broken"]
            else:
                with pytest.raises(Refused):
                    sources.ask(question)
    assert asked.count("broken") == MOST_FAILURES
