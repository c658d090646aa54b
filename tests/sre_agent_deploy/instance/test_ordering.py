"""The machine orders its certificate from a real ACME server, once, renews it, and says in the authority's words why it can't."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fixtures.pebble import Pebble, free_port, pebble
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.boot_report import BootReport
from sre_agent_deploy.instance.layout import Layout
from sre_agent_deploy.instance.ordering import keep_ordered
from sre_agent_deploy.tls.acme import AcmeSettings, AcmeSource
from sre_agent_deploy.tls.chain import Chain

HOST, INSTANCE = "sre.example.com", "i-1"
HTTP_PORT = free_port()
ZONE: dict[tuple[str, str], list[str]] = {}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with pebble(tmp_path_factory.mktemp("pebble"), lambda name, kind: ZONE.get((name, kind), []), http_port=HTTP_PORT) as running:
        yield running


@dataclass
class Reports:
    """The reports of the machine."""

    written: list[dict[str, Any]] = field(default_factory=list)

    def put_object(self, uri: str, body: str) -> None:
        self.written.append(json.loads(body))


@dataclass
class Ordering:
    """A machine, its secret, and the folder that its front door shows on port 80."""

    authority: Pebble
    layout: Layout
    secrets: Any
    arn: str
    reports: Reports

    @property
    def parts(self) -> dict[str, str]:
        return dict(json.loads(self.secrets.get_secret_value(SecretId=self.arn)["SecretString"]))

    def settings(self, **changed: Any) -> AcmeSettings:
        given = {"directory": self.authority.directory, "email": "ops@example.org", "challenge": "http-01"}
        return AcmeSettings(**{**given, "directory_ca": self.authority.ca_file.read_text(), **changed})

    def put(self, **changed: str) -> None:
        self.secrets.put_secret_value(SecretId=self.arn, SecretString=json.dumps({**self.parts, **changed}))

    def order(self) -> bool:
        aws, report = MachineAws("us-east-1", waits=()), BootReport(self.reports, "s3://bucket/status/")
        return keep_ordered(aws, self.arn, self.layout, report, INSTANCE)


@pytest.fixture
def machine(authority: Pebble, client: Callable[[str], Any], tmp_path: Path) -> Iterator[Ordering]:
    ZONE.clear()
    ZONE[HOST, "A"] = ["127.0.0.1"]
    secrets, layout = client("secretsmanager"), Layout(tmp_path / "release", run=tmp_path / "run")
    arn = secrets.create_secret(Name=f"certificate-{uuid4()}", SecretString="{}")["ARN"]
    made = Ordering(authority, layout, secrets, arn, Reports())
    source = AcmeSource(made.settings())
    issued = source.issue((HOST,))
    made.put(certificate=issued.chain, private_key=issued.private_key.reveal(), hosts=HOST)
    made.put(**{key: text.reveal() for key, text in source.parts({}).items()})
    with port_80(layout):
        yield made


@contextlib.contextmanager
def port_80(layout: Layout) -> Iterator[None]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return str(layout.challenges / path.removeprefix("/.well-known/acme-challenge/"))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", HTTP_PORT), Quiet) as server:
        threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True).start()
        yield
        server.shutdown()


def test_an_order_and_what_follows(machine: Ordering) -> None:
    assert not machine.order(), "nobody has asked"
    machine.put(acme_asked=f"{INSTANCE} now")
    assert machine.order()
    ordered = machine.parts
    chain = Chain.parse(ordered["certificate"])
    assert chain.names == (HOST,)
    assert not machine.order()
