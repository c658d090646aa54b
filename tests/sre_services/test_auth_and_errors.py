"""Requests need the key, and failures have one form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sre_core.problem import Problem
from sre_core.refusal_limit import AT_MOST, SECONDS
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.auth import KeyFile, read_api_key

from .conftest import KEY, Asked


def faults(asked: Asked, path: str) -> dict[str, str]:
    answer = asked.client.get(path)
    assert answer.status_code == 400
    return {fault["parameter"]: fault["message"] for fault in answer.json()["error"]["faults"]}


@pytest.mark.parametrize("given", ["", "wrong", KEY + "x", KEY[:-1], "\u00e9"])
def test_a_wrong_key(ask: Callable[..., Asked], given: str) -> None:
    """Only the key itself opens, not a beginning of it, and refusals tell nothing of what is behind."""
    client = ask("runbooks", "healthy").client
    for path in ("/runbooks/search", "/openapi.json", "/no-such-path"):
        answer = client.get(path, headers={"X-API-Key": given.encode()})  # type: ignore[dict-item]  # bytes pass as they are
        assert answer.status_code == 401
        assert answer.json()["error"]["do"] == ["Send the key in the header X-API-Key."]


def test_no_key_header_at_all(ask: Callable[..., Asked], capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused as missing, which an alert can tell from a wrong one."""
    open_client = TestClient(ask("runbooks", "healthy").client.app)
    assert open_client.get("/runbooks/search").status_code == 401
    assert '"status_detail": "missing_api_key"' in capsys.readouterr().err
    assert open_client.get("/health").status_code == 200


def test_a_client_that_tries_again_and_again(ask: Callable[..., Asked]) -> None:
    """It must wait, while other clients, and those with the key, need not."""
    app = ask("runbooks", "healthy").client.app
    statuses = [TestClient(app, headers={"X-Forwarded-For": "203.0.113.9"}).get("/x").status_code for _ in range(AT_MOST + 1)]
    assert statuses == [401] * AT_MOST + [429]
    refused = TestClient(app, headers={"X-Forwarded-For": "203.0.113.9", "X-API-Key": "guess"}).get("/x")
    assert 0 < int(refused.headers["Retry-After"]) <= SECONDS
    assert TestClient(app, headers={"X-Forwarded-For": "203.0.113.10"}).get("/x").status_code == 401
    assert TestClient(app, headers={"X-Forwarded-For": "203.0.113.9", "X-API-Key": KEY}).get("/openapi.json").status_code == 200


@pytest.mark.parametrize("path", ["/healthX", "/health/", "/health/x", "/healthz", "/HEALTH", "//health", "/health%2f"])
def test_a_path_that_looks_like_the_health_path(ask: Callable[..., Asked], path: str) -> None:
    """Only the health path itself needs no key."""
    open_client = TestClient(ask("runbooks", "healthy").client.app)
    assert open_client.get(f"http://testserver{path}").status_code == 401


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": " "}])
def test_a_service_without_a_key(headers: dict[str, str]) -> None:
    """It refuses everybody: a key that was lost on the way must not be one that anybody has."""
    client = TestClient(build_app(Api.of("kubernetes"), object(), Secret("")), headers=headers)
    assert client.get("/openapi.json").status_code == 401


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_key_file(tmp_path: Path, text: str) -> None:
    """The service does not start, and says which credential is missing."""
    (tmp_path / "backend-api-key").write_text(text)
    problem = read_api_key({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert isinstance(problem, Problem)
    assert problem.code == "SVC-CREDENTIAL-MISSING"


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_key_file_that_changes(tmp_path: Path, text: str) -> None:
    """Its new keys are accepted at once; one that is emptied while the service runs changes nothing."""
    file = tmp_path / "backend-api-key"
    file.write_text("first")
    keys = KeyFile(file)
    file.with_suffix(".new").write_text("first\nsecond\n")
    file.with_suffix(".new").replace(file)
    assert keys.read() == (Secret("first"), Secret("second"))
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)
    assert keys.read() == (Secret("first"), Secret("second"))


def test_all_faults_at_once(ask: Callable[..., Asked]) -> None:
    """Every argument that can't be used is named, with what would be right, unknown ones too."""
    found = faults(ask("logs", "healthy"), "/logs/search?start_time=tomorrow&log_level=LOUD&pattern=%07&service=x")
    assert set(found) == {"start_time", "log_level", "pattern", "service"}
    assert "15m" in found["start_time"]
    assert "FATAL" in found["log_level"]
    assert "log_level" in found["service"]


def test_a_missing_argument(ask: Callable[..., Asked]) -> None:
    """The one that is needed is named."""
    assert faults(ask("runbooks", "healthy"), "/runbooks/playbook") == {"playbook_id": "is required"}


def test_an_empty_argument_is_none(ask: Callable[..., Asked]) -> None:
    """Models fill in what they don't know with nothing; it counts as left out."""
    asked = ask("kubernetes", "healthy")
    assert asked.get("/events?since=&severity=")["total"] == asked.get("/events")["total"]


def test_words_in_any_case(ask: Callable[..., Asked]) -> None:
    """`error`, `Error` and `ERROR` are the same level."""
    totals = {ask("logs", "crash-loop").get("/logs/search", log_level=word)["total"] for word in ("error", "Error", "ERROR")}
    assert len(totals) == 1


def test_an_unknown_path(ask: Callable[..., Asked]) -> None:
    """It is a JSON error that says where the paths are listed."""
    answer = ask("logs", "healthy").client.get("/logs/delete")
    assert answer.status_code == 404
    assert "/openapi.json" in answer.json()["error"]["do"][0]


def test_writing_is_refused(ask: Callable[..., Asked]) -> None:
    """All operations only read: other methods are refused by the route itself."""
    answer = ask("kubernetes", "healthy").client.post("/pods/status")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "METHOD-NOT-ALLOWED"


def test_a_fault_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a 500 in the same shape, its traceback is in the log and not in the answer."""
    client = TestClient(build_app(Api.of("kubernetes"), object(), Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)
    answer = client.get("/pods/status")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "SERVICE-FAULT"
    assert "Traceback" not in answer.text
    assert "request.failed" in capsys.readouterr().err


def test_the_served_document(ask: Callable[..., Asked]) -> None:
    """/openapi.json is the committed document, without /health."""
    assert set(ask("metrics", "healthy").get("/openapi.json")["paths"]) == set(Api.of("metrics").document()["paths"])
