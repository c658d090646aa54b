"""A cluster by its API server: of a kubeconfig's context, or of the cluster that this runs in. It is only read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from sre_core import clock
from sre_core.problem import Problem
from sre_services.kubernetes.api.server import ApiServer, Listed, open_server
from sre_services.kubernetes.objects import Json
from sre_services.kubernetes.resources import ADDED, RESOURCES
from sre_services.sources.background import wait_for
from sre_services.sources.settings import Settings
from sre_services.sources.several import note_gap

# One answer lists several kinds, and some of them more than once.
_REMEMBERED_SECONDS = 3.0
_REASONS = {
    "SVC-SOURCE-PERMISSION": "the permission to list them is missing.",
    "SVC-SOURCE-ABSENT": "the API server does not serve them.",
}


class LiveCluster:
    """Lists what is asked for and remembers it for a few seconds. An optional kind that can't be listed is empty, and answers say so."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._lists: dict[tuple[str, str | None], tuple[float, Listed]] = {}

    @property
    def as_of(self) -> datetime:
        return clock.now()

    @property
    def default_namespace(self) -> str:
        return self._server.namespace

    def objects(self, kind: str, namespace: str | None = None) -> Sequence[Json]:
        if kind not in RESOURCES:
            return ()
        found = self._find(kind, namespace)
        if found.problem and not (found.problem.code == "SVC-SOURCE-ABSENT" and RESOURCES[kind].group in ADDED):
            note_gap(kind, _REASONS.get(found.problem.code, found.problem.why))
        return found.items

    def _find(self, kind: str, namespace: str | None) -> Listed:
        lists, now = self._lists, time.monotonic()
        known = [kept[1] for key in ((kind, None), (kind, namespace)) if (kept := lists.get(key)) and kept[0] > now]
        if known:
            return known[0]
        found = wait_for(self._server.list_objects(kind, namespace))
        now = time.monotonic()
        # Other threads may be reading the lists.
        self._lists = {key: kept for key, kept in self._lists.items() if kept[0] > now} | {
            (kind, namespace): (now + _REMEMBERED_SECONDS, found)
        }
        return found

    def check(self) -> Problem | None:
        """Explain which of the needed requests is not possible; None where all are."""
        return wait_for(self._server.check())


def open_provider(settings: Settings) -> LiveCluster:
    """Open the API server that the settings name."""
    return LiveCluster(open_server(settings))
