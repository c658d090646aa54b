"""Runbooks of a folder, a git repository and an S3 bucket give the answers of the recording that has them."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fixtures import cloudwatch
from fixtures.embedded import EmbeddedAws
from sre_core.problem import Refused
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.providers import open_provider
from sre_services.recording import SHIPPED
from sre_services.runbooks.files import FileLibrary
from sre_services.runbooks.providers.git import Repository
from sre_services.runbooks.providers.git import open_provider as open_repository
from sre_services.sources.background import too_slow
from sre_services.sources.settings import Settings

from ..conftest import KEY, application

WRITTEN = SHIPPED / "crash-loop" / "runbooks"
ASKED: list[tuple[str, dict[str, str]]] = [
    ("/runbooks/search", {"keyword": "rollout"}),
    ("/runbooks/playbook", {"playbook_id": "bad-rollout"}),
    ("/runbooks/escalation", {"severity": "high"}),
]


def service(environment: dict[str, str], *sources: dict[str, str]) -> TestClient:
    provider = open_provider("runbooks", {**environment, "SRE_SOURCES": json.dumps(sources)})
    return TestClient(build_app(Api.of("runbooks"), provider, Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the runbooks in a folder, and a README, which is none."""
    place = tmp_path / "repository"
    (place / "runbooks").mkdir(parents=True)
    (place / "README.md").write_text("# No runbook")
    for path in WRITTEN.glob("*.md"):
        (place / "runbooks" / path.name).write_text(path.read_text())
    for command in (["init", "--quiet", "-b", "main"], ["add", "."], ["commit", "--quiet", "-m", "written"]):
        git(place, *command)
    return place


def answers(client: TestClient) -> list[dict[str, Any]]:
    found = [client.get(path, params=parameters).json() for path, parameters in ASKED]
    return [{name: part for name, part in answer.items() if name != "as_of"} for answer in found]


def test_each_source(repository: Path, embedded: EmbeddedAws) -> None:
    """Every source gives the same answers."""
    s3 = embedded.client("s3")
    s3.create_bucket(Bucket="runbooks-of-a-test")
    for path in WRITTEN.glob("*.md"):
        s3.put_object(Bucket="runbooks-of-a-test", Key=f"runbooks/{path.name}", Body=path.read_bytes())
    sources = [
        {"source": "folder", "path": str(repository)},
        {"source": "git", "url": str(repository)},
        {"source": "git", "url": f"file://{repository}", "branch": "main", "path": "runbooks"},
        {"source": "s3", "bucket": "runbooks-of-a-test", "prefix": "runbooks/"},
    ]
    recorded = answers(application("runbooks", "crash-loop"))
    assert all(answer["items"] for answer in recorded)
    for source in sources:
        client = service(cloudwatch.environment(embedded), source)
        assert client.get("/health").json()["sources"] == {source["source"]: {"status": "ok"}}
        assert answers(client) == recorded, source


def test_what_can_not_be_read(embedded: EmbeddedAws, tmp_path: Path) -> None:
    """It is named, and other sources still answer."""
    (tmp_path / "one.md").write_text("---\nid: one\ntitle: One\nseverity: high\n---\n## Resolution\nWait.\n")
    (tmp_path / "broken.md").write_text("---\nid: two\n---\n")
    nowhere = {"source": "git", "url": str(tmp_path / "nowhere")}
    absent = {"source": "s3", "bucket": "no-such-bucket-of-a-test"}
    client = service(cloudwatch.environment(embedded), {"source": "folder", "path": str(tmp_path)}, nowhere, absent)
    found = client.get("/runbooks/search").json()
    assert [(item["playbook_id"], item["source"]) for item in found["items"]] == [("one", "folder")]
    assert found["failed_sources"] == {"git": "SVC-SOURCE-GIT", "s3": "SVC-SOURCE-ABSENT"}
    (tmp_path / "empty").mkdir()
    empty = service({}, {"source": "folder", "path": str(tmp_path / "empty")}).get("/health").json()
    assert empty["sources"]["folder"]["code"] == "SVC-SOURCE-NO-RUNBOOK"


def test_a_repository_that_changes(repository: Path) -> None:
    """A new runbook is there after some minutes; while the repository is gone, those of before are."""
    library = FileLibrary("of this test", Repository(str(repository), "", "", os.environ).read, refreshed_seconds=0.0)
    before = len(library.runbooks())
    (repository / "new.md").write_text("---\nid: new\ntitle: New\nseverity: low\n---\n## Diagnosis\nLook.\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "more")
    assert len(library.runbooks()) == before + 1
    repository.rename(repository.with_name("gone"))
    assert len(library.runbooks()) == before + 1


def test_a_source_that_fails_is_not_read_for_each_answer() -> None:
    """Health and answers share one attempt; where there are runbooks, none waits for the reader of others."""
    attempts, failing, reading, go_on = list[int](), True, threading.Event(), threading.Event()

    def read() -> dict[str, str]:
        attempts.append(1)
        if failing:
            raise Refused(too_slow(1))
        reading.set()
        go_on.wait(60)
        return {"one.md": "---\nid: one\ntitle: One\nseverity: high\n---\n## Resolution\nWait.\n"}

    library = FileLibrary("of this test", read)
    for _ in range(3):
        problem = library.check()
        assert problem
        assert problem.code == "SVC-SOURCE-SLOW"
        with pytest.raises(Refused):
            library.runbooks()
    assert len(attempts) == 1
    failing = False
    library, _ = FileLibrary("of this test", read, refreshed_seconds=0.0), go_on.set()
    assert len(library.runbooks()) == 1
    reading.clear()
    go_on.clear()
    reader = threading.Thread(target=library.runbooks)
    reader.start()
    try:
        assert reading.wait(60)
        assert len(library.runbooks()) == 1
        assert library.check() is None
        assert reader.is_alive()
    finally:
        go_on.set()
        reader.join()


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str | None]]]:
    """The URL of a server that refuses, and the Authorization headers that it got."""
    seen: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_error(403)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/runbooks", seen
        server.shutdown()


def test_a_token(asked: tuple[str, list[str | None]], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is sent to the address of the source, and is in no message."""
    url, seen = asked
    (tmp_path / "token").write_text("of-this-test")
    problem = open_repository(Settings("git", "git", {"url": url, "token": "token"}, {"CREDENTIALS_DIRECTORY": str(tmp_path)})).check()
    assert problem
    assert seen == ["Basic eC1hY2Nlc3MtdG9rZW46b2YtdGhpcy10ZXN0"]
    assert "of-this-test" not in f"{problem} {capfd.readouterr()}"
