"""A recorded cluster: the Kubernetes API's own Lists in the recording's `kubernetes/` folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sre_core.problem import Refused
from sre_services.kubernetes.cluster import PARSERS
from sre_services.kubernetes.objects import Json
from sre_services.recording import Recording, damaged_file_problem, find_line, read_each, read_text, recording_from
from sre_services.sources.settings import Settings


class Recorded:
    """Holds the whole recording; a List that is absent is empty."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._objects = read_each(PARSERS, self._read)

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    @property
    def default_namespace(self) -> str:
        return self._recording.namespace

    def objects(self, kind: str, namespace: str | None = None) -> Sequence[Json]:
        return self._objects[kind]

    def _read(self, kind: str) -> list[Json]:
        """Read a List and try to parse each object. Raises Refused, naming the file, when one has another form."""
        documents = self._recording.kubernetes_list(f"{kind}.json")
        for number, document in enumerate(documents):
            try:
                PARSERS[kind](document)
            except (KeyError, TypeError, ValueError, AttributeError) as fault:
                path = self._recording.folder / "kubernetes" / f"{kind}.json"
                why = f"items[{number}] is not as the Kubernetes API writes it: {fault!r}."
                raise Refused(damaged_file_problem(path, why, find_line(read_text(path), "items", number))) from None
        return documents


def open_provider(settings: Settings) -> Recorded:
    """Read the cluster of the recording that SRE_RECORDING names."""
    return Recorded(recording_from(settings.environment))
