"""A service at its limit refuses further requests at once, and its health path still answers."""

from __future__ import annotations

import threading

from starlette.testclient import TestClient

from sre_core import clock
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.at_once import MOST_AT_ONCE

from .conftest import KEY


class Slow:
    """A library that answers when a test lets it, and counts the waiting calls."""

    as_of = clock.now()

    def __init__(self) -> None:
        self.go, self.full = threading.Event(), threading.Event()
        self._waiting = 0

    def runbooks(self) -> list[object]:
        self._waiting += 1
        if self._waiting >= MOST_AT_ONCE:
            self.full.set()
        self.go.wait(60)
        return []


def test_one_more_than_it_can_answer() -> None:
    """It is 429 with the time to wait; those before it are answered, and so is health; afterwards all is as before."""
    slow = Slow()
    with TestClient(build_app(Api.of("runbooks"), slow, Secret(KEY)), headers={"X-API-Key": KEY}) as client:
        answers: list[int] = []
        asked = [threading.Thread(target=lambda: answers.append(client.get("/runbooks/search").status_code)) for _ in range(MOST_AT_ONCE)]
        for each in asked:
            each.start()
        try:
            assert slow.full.wait(60)
            refused = client.get("/runbooks/search")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.json()["error"]["code"] == "TOO-MANY-REQUESTS"
            assert client.get("/health").status_code == 200
            assert client.get("/runbooks/search", headers={"X-API-Key": "of nobody"}).status_code == 401
        finally:
            slow.go.set()
        for each in asked:
            each.join(60)
        assert answers == [200] * MOST_AT_ONCE
        assert client.get("/runbooks/search").status_code == 200


def test_another_method() -> None:
    """It is 405, with the method that there is."""
    client = TestClient(build_app(Api.of("runbooks"), Slow(), Secret(KEY)), headers={"X-API-Key": KEY})
    for method in ("POST", "DELETE", "PUT", "PATCH", "HEAD"):
        answer = client.request(method, "/runbooks/search")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET"), method
