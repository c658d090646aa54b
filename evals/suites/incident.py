"""A recording in memory, which can be shifted in time, cut and merged, and written for the services to answer from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

from evals.score import Verdict

type Object = dict[str, Any]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One recording: Kubernetes' lists, lines of logs by service, and series of metrics by file, with what is wrong in it."""

    name: str
    expected: tuple[Verdict, ...]
    namespace: str
    end: datetime
    objects: dict[str, list[Object]]
    logs: dict[str, list[str]]
    series: dict[str, list[Object]]
    runbooks: Path

    @property
    def services(self) -> tuple[str, ...]:
        """Return the applications, by the names of their Deployments."""
        return tuple(sorted(str(found["metadata"]["name"]) for found in self.objects.get("deployments", ())))

    def owner(self, name: str) -> str:
        """Return the application of an object's name, such as a pod's: the longest that begins it."""
        fitting = [service for service in self.services if name == service or name.startswith((f"{service}-", f"{service}."))]
        return max(fitting, key=len, default="")

    def write(self, folder: Path) -> Path:
        """Write it as the services read it."""
        for part in ("kubernetes", "logs", "metrics"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for kind, items in self.objects.items():
            _write(folder / "kubernetes" / f"{kind}.json", {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
        for service, lines in self.logs.items():
            (folder / "logs" / f"{service}.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for name, series in self.series.items():
            _write(folder / "metrics" / f"{name}.json", {"status": "success", "data": {"resultType": "matrix", "result": series}})
        copytree(self.runbooks, folder / "runbooks", dirs_exist_ok=True)
        about = {"schema": 1, "name": "suite", "namespace": self.namespace, "recorded_end": stamp(self.end), "description": ""}
        _write(folder / "recording.json", about)
        return folder


def read_incident(folder: Path, name: str, *expected: Verdict) -> Incident:
    """Read a recording's folder."""
    about = json.loads((folder / "recording.json").read_text(encoding="utf-8"))
    parts = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (folder / "kubernetes").glob("*.json")}
    measured = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (folder / "metrics").glob("*.json")}
    return Incident(
        name=name,
        expected=expected,
        namespace=about["namespace"],
        end=parse_time(about["recorded_end"]),
        objects={kind: list(found["items"] if isinstance(found, dict) else found) for kind, found in parts.items()},
        logs={path.stem: path.read_text(encoding="utf-8").splitlines() for path in (folder / "logs").glob("*.log")},
        series={file: found["data"]["result"] for file, found in measured.items()},
        runbooks=folder / "runbooks",
    )


def move_to(incident: Incident, end: datetime) -> Incident:
    """Move every time, so that the incident ends at `end`."""
    moved = end - incident.end
    return replace(
        incident,
        end=end,
        objects=json.loads(_shift(json.dumps(incident.objects), moved)),
        logs={service: [_shift(line, moved) for line in lines] for service, lines in incident.logs.items()},
        series={file: [_shift_series(one, moved.total_seconds()) for one in series] for file, series in incident.series.items()},
    )


def cut_before(incident: Incident, moment: datetime) -> Incident:
    """Forget what happened and was measured from `moment` on."""
    seconds = moment.timestamp()
    return replace(
        incident,
        end=moment,
        objects={**incident.objects, "events": [event for event in incident.objects.get("events", ()) if _last_time(event) < moment]},
        logs={service: [line for line in lines if _line_time(line) < moment] for service, lines in incident.logs.items()},
        series=map_values(incident, lambda pairs: [pair for pair in pairs if pair[0] < seconds]),
    )


def map_values(incident: Incident, change: Callable[[list[Any]], list[Any]]) -> dict[str, list[Object]]:
    """Return the series with changed values."""
    return {file: [{**one, "values": change(one["values"])} for one in series] for file, series in incident.series.items()}


def first_measured(incident: Incident) -> datetime:
    """Return the time of the first measurement."""
    times = [one["values"][0][0] for series in incident.series.values() for one in series if one["values"]]
    return datetime.fromtimestamp(min(times), UTC)


def stamp(moment: datetime) -> str:
    """Format a time as Kubernetes does."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> datetime:
    """Parse a time as Kubernetes and logs write it."""
    return datetime.fromisoformat(text)


def _shift(text: str, moved: timedelta) -> str:
    return _TIME.sub(
        lambda found: f"{parse_time(found[0]) + moved:%Y-%m-%dT%H:%M:%S.%f}Z" if "." in found[0] else _whole(found[0], moved), text
    )


def _whole(text: str, moved: timedelta) -> str:
    return stamp(parse_time(text) + moved)


def _shift_series(one: Object, seconds: float) -> Object:
    return {**one, "values": [[at + seconds, value] for at, value in one["values"]]}


def _last_time(event: Object) -> datetime:
    return parse_time(str(event.get("lastTimestamp") or event["metadata"].get("creationTimestamp")))


def _line_time(line: str) -> datetime:
    found = _TIME.search(line)
    return parse_time(found[0]) if found else datetime.min.replace(tzinfo=UTC)


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def list_owned(incident: Incident, service: str, kind: str) -> Iterator[Object]:
    """Yield the objects of a kind that belong to one application."""
    for item in incident.objects.get(kind, ()):
        subject = item.get("involvedObject") or item["metadata"]
        if incident.owner(str(subject["name"])) == service:
            yield item
