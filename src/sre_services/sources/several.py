"""Ask several named sources at once: one that fails is named in the answer, and the others still answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_core.problem import Problem, Refused
from sre_services.sources.background import too_slow
from sre_services.sources.breaker import Breaker

_AT_ONCE = 16
_failed: ContextVar[dict[str, Problem] | None] = ContextVar("failed_sources", default=None)
_gaps: ContextVar[dict[str, str] | None] = ContextVar("gaps", default=None)


@dataclass(frozen=True)
class Named[P]:
    """A source under the name by which answers refer to it."""

    name: str
    provider: P


class Several[P]:
    """The sources of one service. Each kind of service joins their answers in its own `several.py`."""

    SECONDS: ClassVar[float] = 8.0
    """The others' answers must arrive within the 10 seconds for which the assistant waits."""

    def __init__(self, sources: Sequence[Named[P]]) -> None:
        self.sources = tuple(sources)
        # A source that does not answer holds threads of its own only.
        self._pools = [ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"source-{each.name}") for each in self.sources]
        self._breakers = {each.name: Breaker() for each in self.sources}

    def ask[R](self, question: Callable[[P], R]) -> list[tuple[str, R]]:
        """Ask every source and return the answers with the sources' labels. Raises Refused where all of them fail.

        A source that failed for another part of the same answer is not asked again, nor for a while one that keeps not answering.
        """
        if len(self.sources) == 1:
            return [("", self._ask_only(question))]
        before = list_failures()
        wanted = [(each, pool) for each, pool in zip(self.sources, self._pools, strict=True) if each.name not in before]
        failed = {each.name: refused for each, _ in wanted if (refused := self._breakers[each.name].find_refusal())}
        asked = [(each.name, pool.submit(copy_context().run, question, each.provider)) for each, pool in wanted if each.name not in failed]
        until = time.monotonic() + self.SECONDS
        for name, future in asked:
            refused = _refusal(future, until, self.SECONDS)
            self._breakers[name].note(refused)
            failed |= {name: refused} if refused else {}
        if len(failed) == len(wanted):
            raise Refused(*before.values(), *(problem for refused in failed.values() for problem in refused.problems))
        note_failures({name: refused.problems[0] for name, refused in failed.items()})
        return [(name, future.result()) for name, future in asked if name not in failed]

    def _ask_only[R](self, question: Callable[[P], R]) -> R:
        """Ask the only source."""
        (only,) = self.sources
        breaker = self._breakers[only.name]
        if refused := breaker.find_refusal():
            raise refused
        try:
            answer = question(only.provider)
        except Refused as refused:
            breaker.note(refused)
            raise
        breaker.note(None)
        return answer


def check_all(checks: Mapping[str, Callable[[], Problem | None]]) -> Mapping[str, Problem | None]:
    """Run checks at once, by the name of their source."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check") as pool:
        return dict(zip(checks, pool.map(lambda check: check(), checks.values()), strict=True))


def _refusal(future: Future[Any], until: float, seconds: float) -> Refused | None:
    """Wait for an answer, and return why there is none. Any other failure is raised."""
    try:
        fault = future.exception(timeout=max(until - time.monotonic(), 0.0))
    except TimeoutError:
        future.cancel()
        return Refused(too_slow(seconds))
    if fault is None or isinstance(fault, Refused):
        return fault
    raise fault


@contextmanager
def collect_failures() -> Iterator[Mapping[str, Problem]]:
    """Collect the sources that fail while one question is answered, by name, and what others can't read."""
    failed: dict[str, Problem] = {}
    token, gaps = _failed.set(failed), _gaps.set({})
    try:
        yield failed
    finally:
        _failed.reset(token)
        _gaps.reset(gaps)


def note_failures(failed: Mapping[str, Problem]) -> None:
    """Note sources that failed, for the answer that is being made."""
    noted = _failed.get()
    if noted is not None:
        noted.update(failed)


def list_failures() -> Mapping[str, Problem]:
    """List the sources that failed for the answer that is being made."""
    return _failed.get() or {}


def note_gap(name: str, why: str) -> None:
    """Note a part that a source can't read though it answers, for the answer that is being made."""
    noted = _gaps.get()
    if noted is not None:
        noted[name] = why


def list_gaps() -> Mapping[str, str]:
    """List the parts that could not be read for the answer that is being made, each with the reason."""
    return _gaps.get() or {}
