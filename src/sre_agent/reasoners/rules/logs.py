"""Detectors over logs: bad configuration, services that do not answer, memory that runs out, bursts of errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sre_agent.observations import ErrorCount, LogLine
from sre_agent.reasoners.rules import error_patterns
from sre_agent.reasoners.rules.service_graph import ServiceNames
from sre_agent.reasoners.rules.signals import Kind, Signal

BURST = 10  # errors; fewer are normal
GREW = 3  # times as many as in the window before
_LATE = datetime.max.replace(tzinfo=UTC)
_BAD = frozenset({"ERROR", "FATAL"})


def detect(lines: tuple[LogLine, ...], names: ServiceNames) -> Iterator[Signal]:
    """Detect signals in lines at WARN and above, and in lines without a level."""
    candidates = [line for line in lines if line.level not in {"INFO", "DEBUG"}]
    yield from _keep_first(_classify(line, names) for line in candidates)


def _classify(line: LogLine, names: ServiceNames) -> Signal | None:
    """Classify one line. A line about another service that can't be reached is a signal about that service."""
    configured, unreachable = error_patterns.find_configuration_error(line.message), error_patterns.find_connection_error(line.message)
    named = (configured or unreachable or error_patterns.Complaint("", "")).name
    peer = names.find_by_host(named, but=line.service) or (names.find_in_text(line.message, but=line.service) if not configured else "")
    if error_patterns.mentions_memory(line.message) and not configured:
        return _signal(Kind.MEMORY_ERROR, line)
    if configured and configured.what == "host" and peer:
        return _signal(Kind.PEER_ERROR, line, subject=configured.name, peer=peer)
    if configured:
        return _signal(Kind.CONFIG_ERROR, line, subject=configured.name)
    if peer and line.level in {*_BAD, "WARN"}:
        return _signal(Kind.PEER_ERROR, line, subject=named, peer=peer)
    return _signal(Kind.CONNECTION_ERROR, line, subject=named) if unreachable else None


def _keep_first(signals: Iterable[Signal | None]) -> Iterator[Signal]:
    """Keep the first of the signals of one service about the same subject."""
    groups: dict[tuple[Kind, str, str, str], list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal is not None:
            groups[signal.kind, signal.service, signal.subject, signal.peer].append(signal)
    for group in groups.values():
        yield min(group, key=lambda signal: signal.at or _LATE)


def detect_bursts(counts: tuple[ErrorCount, ...]) -> Iterator[Signal]:
    """Detect services with many errors, and many more than before."""
    for found in counts:
        if found.count >= BURST and found.count >= GREW * max(found.count_before, 1):
            what = f"{found.service} logged {found.count} errors lately, {found.count_before} in the equally long time before"
            yield Signal(kind=Kind.ERROR_BURST, service=found.service, what=what, sources=(found.source,), at=found.first_seen)


def _signal(kind: Kind, line: LogLine, *, subject: str = "", peer: str = "") -> Signal:
    message = " ".join(line.message.split())
    what = f"{line.service} logged: {message if len(message) <= 300 else message[:299] + '…'}"
    return Signal(kind=kind, service=line.service, what=what, sources=(line.source,), at=line.at, subject=subject, peer=peer)
