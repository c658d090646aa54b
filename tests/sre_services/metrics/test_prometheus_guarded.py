"""A Prometheus that asks for a certificate authority and a password, and one that is out of reach."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fixtures.prometheus import prometheus
from sre_core import clock, private_ca
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from ..conftest import KEY

LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class Guarded:
    """A real Prometheus behind TLS and a password, and the folder with what opens it."""

    url: str
    credentials: Path

    def service(self, **settings: str) -> TestClient:
        environment = {"SRE_SOURCES": json.dumps([{"source": "prometheus", **settings}]), "CREDENTIALS_DIRECTORY": str(self.credentials)}
        app = build_app(Api.of("metrics"), open_provider("metrics", environment), Secret(KEY))
        return TestClient(app, headers={"X-API-Key": KEY}, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Debian's Prometheus with a certificate of a private authority, and one user."""
    folder, password = tmp_path_factory.mktemp("guarded"), secrets.token_hex(16)
    key = private_ca.new_key()
    authority = private_ca.issue_authority("of this test", key, LIFE)
    server = private_ca.new_key()
    certificate = private_ca.issue_server(("127.0.0.1",), server, issuer=authority, issuer_key=key, life=LIFE)
    for name, text in {
        "ca": private_ca.pem(authority),
        "server.pem": private_ca.pem(certificate),
        "server.key": private_ca.key_pem(server),
        "password": password,
        "wrong": "not the password",
    }.items():
        (folder / name).write_text(text)
    settings = {
        "tls_server_config": {"cert_file": str(folder / "server.pem"), "key_file": str(folder / "server.key")},
        "basic_auth_users": {"sre": hashed(password)},
    }
    (folder / "web.yml").write_text(json.dumps(settings))
    healthy = open_recording("healthy", clock.now() - timedelta(minutes=1))
    assert isinstance(healthy, Recording)
    with prometheus(healthy, folder / "data", f"--web.config.file={folder / 'web.yml'}", scheme="https") as url:
        yield Guarded(url, folder)


def hashed(password: str) -> str:
    """The bcrypt hash that Prometheus reads; perl's crypt is that of the system."""
    salt = "$2b$04$" + secrets.token_hex(11)
    return subprocess.run(
        ["perl", "-e", "chomp($p = <STDIN>); print crypt($p, $ARGV[0])", salt], input=password, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.needs("prometheus")
def test_with_authority_and_password(guarded: Guarded) -> None:
    """Both come from credential files that the settings name."""
    service = guarded.service(url=guarded.url, ca="ca", username="sre", password="password")
    assert service.get("/health").json() == {"status": "ok", "service": "metrics", "sources": {"prometheus": {"status": "ok"}}}
    assert service.get("/metrics/errors").json()["items"]


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"username": "sre", "password": "password"}, "SVC-SOURCE-TLS"),
        ({"ca": "ca"}, "SVC-SOURCE-CREDENTIAL"),
        ({"ca": "ca", "username": "sre", "password": "wrong"}, "SVC-SOURCE-CREDENTIAL"),
    ],
)
def test_with_one_of_them_missing(guarded: Guarded, settings: dict[str, str], code: str) -> None:
    """Health and every operation name what is missing; the health path needs no key, so it names no address."""
    service = guarded.service(url=guarded.url, **settings)
    failed = {"prometheus": {"status": "failed", "code": code}}
    assert service.get("/health").json() == {"status": "degraded", "service": "metrics", "sources": failed}
    answer = service.get("/metrics/errors")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == code
    assert guarded.url in answer.json()["error"]["message"]
    assert "not the password" not in answer.text


def test_out_of_reach() -> None:
    """No answer is a Problem with the address, not an empty answer."""
    service = Guarded("http://127.0.0.1:9", Path()).service(url="http://127.0.0.1:9")
    answer = service.get("/metrics/availability")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SVC-SOURCE-UNREACHABLE"
    assert "http://127.0.0.1:9" in answer.json()["error"]["message"]
    assert service.get("/health").json()["sources"] == {"prometheus": {"status": "failed", "code": "SVC-SOURCE-UNREACHABLE"}}
