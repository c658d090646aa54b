"""Databases that refuse: users, writes, connections. The patterns are those of drivers and servers, and name no database of ours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from sre_agent.observations import LogLine
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect

_CREDENTIALS = re.compile(
    r"access denied for user|authentication failed for user|password authentication failed|login failed for user|"
    r"invalid (?:username|password)|"
    r"WRONGPASS|NOAUTH|Authentication failed\b.*(?:mongo|SCRAM)",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(
    r"--read-only|super[-_]read[-_]only|read[-_]only (?:mode|option|transaction|replica|database)|is read only|READONLY You can't write|"
    r"attempt to write a readonly|in a read-only",
    re.IGNORECASE,
)
_EXHAUSTED = re.compile(
    r"too many connections|max_user_connections|remaining connection slots|sorry, too many clients|"
    r"max(?:imum)? number of (?:clients|connections)",
    re.IGNORECASE,
)
_POOL = re.compile(
    r"connection is not available, request timed out|pool (?:is )?exhausted|timeout waiting for (?:idle object|connection from pool)",
    re.IGNORECASE,
)
_LINK = re.compile(r"communications link failure|CommunicationsException|could not (?:connect|open (?:JDBC )?connection)", re.IGNORECASE)
_REFUSED = re.compile(r"connection refused|connect timed out", re.IGNORECASE)
_DATABASE = re.compile(r"mysql|maria|postgres|pgsql|mongo|redis|(?:^|-)(?:ts)?db(?:-|$)|database", re.IGNORECASE)


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect databases that refuse, at the database or at the service whose settings are wrong."""
    for service in index.logs:
        if lines := _matching(index, service, _CREDENTIALS):
            yield _at_service(index, service, lines, "mysql_invalid_credentials", "the database refuses its user")
        elif lines := [line for line in _matching(index, service, _LINK) if _REFUSED.search(line.message) or index.is_lacking(service)]:
            yield from _wrong_port(index, service, lines)
    yield from _at_database(index, _READ_ONLY, "db_readonly_mode", "the database refuses to write")
    yield from _at_database(index, _EXHAUSTED, "db_connection_exhaustion", "the database takes no more connections")
    yield from _at_database(index, _POOL, "db_connection_exhaustion", "no connection of the pool becomes free", points=0.62)


def find_database(index: ObservationIndex, service: str) -> str:
    """Find the database of a service: what it calls, or what its name and a database's have in common."""
    called = index.requirements[service].calls if service in index.requirements else ()
    direct = [name for name in (*called, *index.graph.needs.get(service, ())) if _DATABASE.search(name)]
    names = [found.ref.name for found in index.observations.exposures] + list(index.requirements)
    known = {name for name in names if _DATABASE.search(name)}
    return next(iter(dict.fromkeys(direct)), "") or (next(iter(known)) if len(known) == 1 else "")


def _wrong_port(index: ObservationIndex, service: str, lines: list[LogLine]) -> Iterator[Candidate]:
    """Find a link that fails although its database is well: the address is then the service's own mistake."""
    database = find_database(index, service)
    if not database or index.is_lacking(database) or _complainers(index, database) > 1:
        return
    yield _at_service(index, service, lines, "mysql_invalid_port", f"it can't connect to {database}, which is well", points=0.68)


def _complainers(index: ObservationIndex, database: str) -> int:
    return sum(find_database(index, service) == database for service in index.logs if _matching(index, service, _LINK))


def _at_service(
    index: ObservationIndex, service: str, lines: list[LogLine], cause: str, because: str, *, points: float = 0.85
) -> Candidate:
    cited = tuple(fact(service, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
    return suspect(
        cause, index.ref(service), lines[0].message[:250], Reason(points, because, cited), explains=index.graph.dependents_of(service)
    )


def _at_database(index: ObservationIndex, words: re.Pattern[str], cause: str, because: str, points: float = 0.85) -> Iterator[Candidate]:
    """Collect the complaints about each database; without one that is known, they stay with the service that complains."""
    about: dict[str, list[tuple[str, LogLine]]] = defaultdict(list)
    for service in index.logs:
        for line in _matching(index, service, words):
            about[service if _DATABASE.search(service) else find_database(index, service) or service].append((service, line))
    for name, complaints in about.items():
        cited = tuple(fact(name, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for service, line in complaints[:4])
        users = frozenset(service for service, _ in complaints) | index.graph.dependents_of(name)
        yield suspect(cause, index.ref(name), complaints[0][1].message[:250], Reason(points, because, cited), explains=users)


def _matching(index: ObservationIndex, service: str, words: re.Pattern[str]) -> list[LogLine]:
    return [line for line in index.logs.get(service, ()) if words.search(line.message)]
