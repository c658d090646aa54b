"""A recording: real formats, times moved to now, absent parts empty, damaged ones named."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_services.cli import main
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from .conftest import RECORDED_END, Asked, application

LATER = "2031-02-03T04:05:06Z"


@pytest.mark.parametrize(
    ("service", "path", "field"),
    [
        ("kubernetes", "/events?since=2h", "lastTimestamp"),
        ("kubernetes", "/pods/status", "createdAt"),
        ("logs", "/logs/recent?limit=40", "time"),
        ("metrics", "/metrics/performance?service=frontend", "max_at"),
    ],
)
def test_times_are_moved(service: str, path: str, field: str) -> None:
    """The recording's end becomes the given moment and everything else keeps its distance to it."""
    now, then = (Asked(application(service, "crash-loop", end)) for end in (LATER, RECORDED_END))
    assert now.get(path)["as_of"] == LATER
    moved = clock.parse(LATER) - clock.parse(RECORDED_END)
    recorded = [clock.parse(item[field]) for item in then.items(path)]
    assert recorded
    assert [clock.parse(item[field]) - moved for item in now.items(path)] == recorded


def test_what_is_no_time(tmp_path: Path) -> None:
    """A whole string that is a time is moved, in any zone; keys, and times within strings, stay as they were recorded."""
    document = {
        "at": "2026-11-20T11:00:00+01:00",
        "2026-11-20T10:00:00Z": ["2026-11-20T09:59:59.5Z", 2026, None],
        "annotation": '{"at":"2026-11-20T10:00:00Z"}',
        "ends so": 'at "2026-11-20T10:00:00Z',
        "path": "C:\\\\",
    }
    (tmp_path / "one.json").write_text(json.dumps(document, indent=1))
    recording = Recording(tmp_path, "n", clock.parse("2026-11-20T10:00:00Z"), clock.parse("2026-11-21T10:00:00Z"))
    moved = {"at": "2026-11-21T11:00:00+01:00", "2026-11-20T10:00:00Z": ["2026-11-21T09:59:59.500000Z", 2026, None]}
    assert recording.json("one.json") == {**document, **moved}


def test_a_recording_ends_when_the_service_starts() -> None:
    """Without a pinned end, its last moment is now."""
    before = clock.now() - timedelta(seconds=1)
    asked = Asked(application("runbooks", "healthy", ""))
    assert before <= clock.parse(asked.get("/runbooks/search")["as_of"]) <= clock.now()


@pytest.mark.parametrize("service", ["kubernetes", "logs", "metrics", "runbooks"])
def test_a_recording_that_holds_nothing(tmp_path: Path, service: str) -> None:
    """Every answer is empty with a note, and nothing is invented."""
    (tmp_path / "recording.json").write_text(json.dumps({"namespace": "n", "recorded_end": RECORDED_END}))
    asked = Asked(application(service, tmp_path))
    for path in asked.get("/openapi.json")["paths"]:
        answer = asked.get(path, playbook_id="x") if path == "/runbooks/playbook" else asked.get(path)
        assert answer["items"] == []
        assert answer["note"]


def test_a_folder_relative_to_the_working_folder(copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name is looked up there too, after those that ship and the release's root."""
    monkeypatch.chdir(copied("healthy").parent)
    found = open_recording("copy", datetime(2026, 11, 22, tzinfo=UTC))
    assert isinstance(found, Recording)


@pytest.mark.parametrize(
    ("service", "file", "text"),
    [
        ("kubernetes", "kubernetes/pods.json", '{"items": [\n{"metadata": }]}'),
        ("kubernetes", "kubernetes/pods.json", '{"kind": "Pod"}'),
        ("kubernetes", "kubernetes/events.json", '{"items": [{"metadata": {}}]}'),
        ("kubernetes", "kubernetes/pods.json", '{"items": ["pod"]}'),
        ("kubernetes", "kubernetes/deployments.json", '{"items": [{"metadata": {"name": "x"}, "spec": {}}]}'),
        ("logs", "logs/frontend.log", "2026-99-99T00:00:00Z INFO x\n"),
        ("metrics", "metrics/up.json", '{"status": "error", "error": "timeout"}'),
        (
            "metrics",
            "metrics/up.json",
            '{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"__name__": "up"}, "values": [1]}]}}',
        ),
        ("runbooks", "runbooks/bad-rollout.md", "# no front matter\n"),
        ("runbooks", "runbooks/bad-rollout.md", "---\nid: [x\n---\ntext"),
        ("runbooks", "runbooks/bad-rollout.md", "---\n- id\n---\ntext"),
        ("runbooks", "runbooks/bad-rollout.md", "---\nid: x\ntitle: y\nseverity: terrible\n---\ntext"),
    ],
)
def test_a_damaged_file(copied: Callable[[str], Path], service: str, file: str, text: str) -> None:
    """The service does not start on half of the evidence: the Problem names the file."""
    folder = copied("healthy")
    (folder / file).write_text(text)
    with pytest.raises(Refused) as refused:
        open_provider(service, {"SRE_RECORDING": str(folder)})
    problem = refused.value.problems[0]
    assert problem.code == "SVC-RECORDING-DAMAGED"
    assert str(problem.where).startswith(str(folder / file))


def test_damaged_json_shows_the_line(copied: Callable[[str], Path]) -> None:
    """The place of the fault is line and column."""
    folder = copied("healthy")
    (folder / "kubernetes" / "pods.json").write_text('{"items": [\n{"metadata": }]}')
    with pytest.raises(Refused) as refused:
        open_provider("kubernetes", {"SRE_RECORDING": str(folder)})
    assert str(refused.value.problems[0].where).endswith("pods.json:2:14")


# Where the first fault of each file is.
FAULTY = {
    "kubernetes/pods.json": ('{"items": [\n{"metadata": }]}', ":2:14"),
    "kubernetes/deployments.json": ('{"kind": "List", "items": [\n{"metadata": {"name": "a, [b]"}},\n\n{"metadata": 7}]}', ":2"),
    "kubernetes/events.json": ('{"items": {}}', ""),
    "logs/cart-service.log": ("2026-11-20T10:00:00Z INFO a\nno time\n2026-99-99T00:00:00Z INFO x\n", ":3"),
    "metrics/up.json": ('{"status": "success", "data": {"resultType": "matrix", "result": [\n%s,\n%s]}}', ":3"),
    "metrics/other.json": ('{"status": "error"}', ""),
    "runbooks/bad-rollout.md": ("---\nid: x\ntitle: y\nseverity: terrible\n---\ntext", ":4"),
    "runbooks/new.md": ("---\nid: x\ntitle: [y\n---\ntext", ":3"),
    "runbooks/none.md": ("# no front matter\n", ":1"),
}


def test_every_fault_at_once(copied: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    """`check` names each file that can't be read, and the line where that has one; a whole recording has no line."""
    folder = copied("healthy")
    names = ("kubernetes", "logs", "metrics", "runbooks")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SRE_RECORDING", str(folder))
        assert main(["check", *names]) == 0
        assert capfd.readouterr().out == ""
        series = [json.dumps({"metric": {"__name__": "up", "pod": "a-b-c"}, "values": values}) for values in ([[1, "1"]], [1])]
        for file, (text, _) in FAULTY.items():
            (folder / file).write_text(text % tuple(series) if file == "metrics/up.json" else text)
        (folder / "kubernetes" / "jobs.json").mkdir()
        (folder / "logs" / "gone.log").symlink_to("nowhere")
        assert main(["check", *names]) == 1
        found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        (folder / "recording.json").unlink()
        assert main(["check", *names]) == 1
        missing = [json.loads(line)["code"] for line in capfd.readouterr().out.splitlines()]
    assert {each["code"] for each in found} == {"SVC-RECORDING-DAMAGED"}
    expected = {str(folder / file) + place for file, (_, place) in FAULTY.items()}
    assert {each["where"] for each in found} == expected | {str(folder / "kubernetes/jobs.json"), str(folder / "logs/gone.log")}
    assert missing == ["SVC-RECORDING-NOT-FOUND"]


@pytest.mark.parametrize("text", ["{}", '{"namespace": "n", "recorded_end": "later"}', "[]", "{", "\udcff"])
def test_a_damaged_description(tmp_path: Path, text: str) -> None:
    """recording.json says the namespace and the end; without them there is no recording."""
    (tmp_path / "recording.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    found = open_recording(str(tmp_path), datetime(2026, 11, 22, tzinfo=UTC))
    assert isinstance(found, Problem)
    assert found.code == "SVC-RECORDING-DAMAGED"
