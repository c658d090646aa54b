"""The three recordings that ship: reproducible, small, and telling nothing but evidence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sre_services.cli import main
from sre_services.recording import SHIPPED
from sre_services.runbooks.markdown import parse_runbook

NAMES = ("crash-loop", "healthy", "memory-leak")


def texts(name: str) -> dict[str, str]:
    folder = SHIPPED / name
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


def test_they_are_what_the_generator_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """`recordings --check` ends 0: every byte follows from the code."""
    assert main(["recordings", "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_they_are_small() -> None:
    """All of the package's data stays below three megabytes."""
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 3_000_000


def test_they_have_the_same_files() -> None:
    """The files that exist give no hint of the incident, and neither does the description."""
    files = {name: set(texts(name)) for name in NAMES}
    assert files["crash-loop"] == files["healthy"] == files["memory-leak"]
    descriptions = {json.loads(texts(name)["recording.json"])["description"] for name in NAMES}
    assert len(descriptions) == 1


def test_they_have_the_same_runbooks() -> None:
    """All recordings have the same runbooks."""
    books = [{file: text for file, text in texts(name).items() if file.startswith("runbooks/")} for name in NAMES]
    assert books[0] == books[1] == books[2]
    assert len(books[0]) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_can_name_the_recording(name: str) -> None:
    """Its name is in recording.json alone, which no operation shows; a leak is nowhere called one."""
    evidence = {file: text for file, text in texts(name).items() if not file.startswith(("runbooks/", "recording.json"))}
    telling = re.compile(r"memory.leak|crash-loop|\bbad config|misconfig|\bhealthy\b", re.IGNORECASE)
    assert [file for file, text in evidence.items() if telling.search(text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_runbooks_are_complete(name: str) -> None:
    """Each has symptoms, steps that say whether they change anything, escalation, diagnosis and resolution."""
    for file, text in texts(name).items():
        if not file.startswith("runbooks/"):
            continue
        found = parse_runbook(file, text)
        assert Path(file).stem == found.id
        assert found.symptoms
        assert found.steps
        assert found.escalation
        assert [section.heading for section in found.sections] == ["Introduction", "Diagnosis", "Resolution", "Verification"]
        assert len(re.findall(r"^    changes: (?:true|false)$", text, re.MULTILINE)) == len(found.steps)


@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_lists(name: str) -> None:
    """They are the API's own Lists with kinds and versions, so that other tools read them too."""
    for file, text in texts(name).items():
        if file.startswith("kubernetes/"):
            document = json.loads(text)
            assert (document["apiVersion"], document["kind"]) == ("v1", "List")
            assert all(item["apiVersion"] and item["kind"] and item["metadata"]["name"] for item in document["items"])
