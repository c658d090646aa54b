"""The logs of pods by the API server of their cluster: of what runs, and of what ran before the last restart of each container."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_services.kubernetes.api.server import ApiServer, open_server
from sre_services.kubernetes.objects import Json, key_of
from sre_services.kubernetes.workload_names import workload_of
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.kubectl_lines import parse_records
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.logs.selection import BY_TIME
from sre_services.sources.background import too_slow, wait_for
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

# Of one container and answer.
_MOST_BYTES = 4 * 2**20
_MOST_LINES = 20_000
# The API server waits long for a node that is out of reach, and the logs of the other nodes are wanted all the same.
_SECONDS = 6.0
_LONGEST_REASON = 120


@dataclass(frozen=True)
class Written:
    """One log: of a container that runs, or of its run before."""

    service: str
    namespace: str
    pod: str
    container: str
    previous: bool


class PodLogs(FetchedLogs):
    """Reads the pods of one namespace, or of all."""

    MOST = f"{_MOST_LINES:,} lines or {_MOST_BYTES // 2**20} MiB"

    def __init__(self, server: ApiServer, namespace: str | None) -> None:
        super().__init__()
        self._server = server
        self._namespace = namespace

    def services(self) -> tuple[str, ...]:
        return tuple(sorted({workload_of(pod) for pod in wait_for(self._pods())}))

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        return wait_for(self._read_all(frozenset(services), where.window, newest))

    def check(self) -> Problem | None:
        """Explain why no logs can be read; None where they can."""
        try:
            pods = wait_for(self._pods())
            first = next((each for pod in pods for each in _logs_of(pod)), None)
            if first:
                wait_for(self._read(first, {"tailLines": 1}))
        except Refused as refused:
            return refused.problems[0]
        return None

    async def _pods(self) -> list[Json]:
        """List the pods of the namespace; where it has none, those of all: a kubeconfig may name no namespace."""
        found = await self._server.list_objects("pods", self._namespace)
        return list(found.items or (await self._server.list_objects("pods")).items)

    async def _read_all(self, services: frozenset[str], window: Window, newest: int | None) -> Fetched:
        parameters = {"sinceTime": clock.stamp(window.start), "limitBytes": _MOST_BYTES, "tailLines": newest or _MOST_LINES}
        wanted = [each for pod in await self._pods() for each in _logs_of(pod) if each.service in services]
        found = dict(zip(wanted, await asyncio.gather(*(self._read(each, parameters) for each in wanted)), strict=True))
        texts = {each: text for each, text in found.items() if isinstance(text, str)}
        unreadable = {each: problem for each, problem in found.items() if isinstance(problem, Problem)}
        if unreadable and not texts:
            raise Refused(next(iter(unreadable.values())))
        by_service: dict[str, list[LogRecord]] = defaultdict(list)
        for each, text in texts.items():
            by_service[each.service] += _parse(each, text)
        parts = [sorted(by_service[service], key=BY_TIME) for service in sorted(by_service)]
        cut = {each.pod for each, text in texts.items() if not newest and _is_full(text)}
        return Fetched(parts, cut, {each.pod: problem.why[:_LONGEST_REASON] for each, problem in unreadable.items()})

    async def _read(self, log: Written, parameters: Mapping[str, Any]) -> str | Problem:
        """Read one log; none is there before a container's first start, and after its node has thrown it away.

        Return the Problem where the API server can't read it, for example because the node is down.
        """
        previous = {"previous": "true"} if log.previous else {}
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._server.read_log(log.namespace, log.pod, {**parameters, **previous, "container": log.container})
        except TimeoutError:
            return too_slow(_SECONDS)
        except Refused as refused:
            problem = refused.problems[0]
            if problem.code == "SVC-SOURCE-ABSENT" or problem.context.get("answered") == "400":
                return ""
            if problem.code == "SVC-SOURCE-ANSWER":
                return problem
            raise


def _is_full(text: str) -> bool:
    return text.count("\n") >= _MOST_LINES or len(text.encode()) >= _MOST_BYTES


def open_provider(settings: Settings) -> PodLogs:
    """Open the cluster that the settings name; `namespace: all` reads every namespace."""
    server = open_server(settings)
    return PodLogs(server, None if server.namespace == "all" else server.namespace)


def _logs_of(pod: Json) -> Iterator[Written]:
    """Name the logs of a pod's containers."""
    namespace, name = key_of(pod)
    status = pod.get("status") or {}
    for found in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if found.get("restartCount"):
            yield Written(workload_of(pod), namespace, name, found["name"], previous=True)
        if "waiting" not in (found.get("state") or {}):
            yield Written(workload_of(pod), namespace, name, found["name"], previous=False)


def _parse(log: Written, text: str) -> Iterator[LogRecord]:
    prefix = f"[pod/{log.pod}/{log.container}] "
    lines = "\n".join(prefix + line for line in text.split("\n"))
    return parse_records(lines, log.service, clock.parse)
