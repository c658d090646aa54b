"""The real applications over the recordings that ship, and over copies that a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sre_core.secret import Secret
from sre_services import recording
from sre_services.application import Api, build_app
from sre_services.providers import open_provider

KEY = "a key that only this test knows"
# The recordings' own last moment: times are then the recorded ones.
RECORDED_END = "2026-11-20T10:30:00Z"


@dataclass(frozen=True)
class Asked:
    """A service, asked as the gateway asks it."""

    client: TestClient

    def get(self, path: str, **parameters: object) -> dict[str, Any]:
        answer = self.client.get(path, params={name: str(value) for name, value in parameters.items()})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def items(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path, **parameters)["items"]
        return found


def application(service: str, folder: Path | str, end: str = RECORDED_END) -> TestClient:
    """A client with the key, of the service over a recording that ends at `end`."""
    answers = open_provider(service, {"SRE_RECORDING": str(folder), "SRE_RECORDING_END": end})
    app = build_app(Api.of(service), answers, Secret(KEY))
    return TestClient(app, headers={"X-API-Key": KEY}, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def ask() -> Callable[..., Asked]:
    """ask(service, recording): made once for each pair."""
    made: dict[tuple[str, str], Asked] = {}

    def asked(service: str, name: Path | str) -> Asked:
        key = (service, str(name))
        if key not in made:
            made[key] = Asked(application(service, name))
        return made[key]

    return asked


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """copied(recording): a folder of its own, to be changed and asked."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(recording.SHIPPED / name, tmp_path / "copy"))

    return copy
