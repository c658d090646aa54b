"""Databases that refuse: users, writes, connections. The patterns are those of drivers and servers, and name no database of ours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from sre_agent.observations import LogLine
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.scene import Scene, fact, suspect

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


def detect(scene: Scene) -> Iterator[Candidate]:
    """Detect databases that refuse, at the database or at the service whose settings are wrong."""
    for service in scene.logs:
        if lines := _matching(scene, service, _CREDENTIALS):
            yield _at_service(scene, service, lines, "mysql_invalid_credentials", "the database refuses its user")
        elif lines := [line for line in _matching(scene, service, _LINK) if _REFUSED.search(line.message) or scene.is_lacking(service)]:
            yield from _wrong_port(scene, service, lines)
    yield from _at_database(scene, _READ_ONLY, "db_readonly_mode", "the database refuses to write")
    yield from _at_database(scene, _EXHAUSTED, "db_connection_exhaustion", "the database takes no more connections")
    yield from _at_database(scene, _POOL, "db_connection_exhaustion", "no connection of the pool becomes free", points=0.62)


def find_database(scene: Scene, service: str) -> str:
    """Find the database of a service: what it calls, or what its name and a database's have in common."""
    called = scene.requirements[service].calls if service in scene.requirements else ()
    direct = [name for name in (*called, *scene.graph.needs.get(service, ())) if _DATABASE.search(name)]
    names = [found.ref.name for found in scene.observations.exposures] + list(scene.requirements)
    known = {name for name in names if _DATABASE.search(name)}
    return next(iter(dict.fromkeys(direct)), "") or (next(iter(known)) if len(known) == 1 else "")


def _wrong_port(scene: Scene, service: str, lines: list[LogLine]) -> Iterator[Candidate]:
    """A link that fails although its database is well: the address is then the service's own mistake."""
    database = find_database(scene, service)
    if not database or scene.is_lacking(database) or _complainers(scene, database) > 1:
        return
    yield _at_service(scene, service, lines, "mysql_invalid_port", f"it can't connect to {database}, which is well", points=0.68)


def _complainers(scene: Scene, database: str) -> int:
    return sum(find_database(scene, service) == database for service in scene.logs if _matching(scene, service, _LINK))


def _at_service(scene: Scene, service: str, lines: list[LogLine], cause: str, because: str, *, points: float = 0.85) -> Candidate:
    told = tuple(fact(service, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
    return suspect(
        cause, scene.ref(service), lines[0].message[:250], Reason(points, because, told), explains=scene.graph.dependents_of(service)
    )


def _at_database(scene: Scene, words: re.Pattern[str], cause: str, because: str, points: float = 0.85) -> Iterator[Candidate]:
    """Collect the complaints about each database; without one that is known, they stay with the service that complains."""
    about: dict[str, list[tuple[str, LogLine]]] = defaultdict(list)
    for service in scene.logs:
        for line in _matching(scene, service, words):
            about[service if _DATABASE.search(service) else find_database(scene, service) or service].append((service, line))
    for name, complaints in about.items():
        told = tuple(fact(name, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for service, line in complaints[:4])
        users = frozenset(service for service, _ in complaints) | scene.graph.dependents_of(name)
        yield suspect(cause, scene.ref(name), complaints[0][1].message[:250], Reason(points, because, told), explains=users)


def _matching(scene: Scene, service: str, words: re.Pattern[str]) -> list[LogLine]:
    return [line for line in scene.logs.get(service, ()) if words.search(line.message)]
