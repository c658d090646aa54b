"""A renewed certificate reaches clients without one failed request, and each warning is given once a day, as an event and a metric."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fixtures.machines import make_machine
from fixtures.ports import free_port
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.certificates import follow, serve, watch
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_agent_deploy.instance.steps import StepFailed, run
from sre_agent_deploy.tls.local_ca import LocalCa, open_local_ca
from sre_core import clock, metrics
from sre_core.machine import FrontDoor, Listener, Machine, SecretRef

HOST = "sre.example.com"


@dataclass
class Stored:
    """A machine whose certificate is in Secrets Manager, and in its files."""

    machine: Machine
    layout: Layout
    authority: LocalCa
    secrets: Any
    aws: MachineAws

    @property
    def door(self) -> FrontDoor:
        return self.machine.front_door

    def serve(self, reload: Callable[[], object]) -> bool:
        return serve(self.aws.read_secret(self.door.certificate.secret_arn), self.layout, reload)

    def put(self, text: str) -> None:
        self.secrets.put_secret_value(SecretId=self.door.certificate.secret_arn, SecretString=text)

    def renew(self, *, older: timedelta = timedelta(0)) -> None:
        """Put a new certificate into Secrets Manager, as `deploy` does."""
        issued = self.authority.issue((HOST,), clock.now() - older)
        self.put(json.dumps({"certificate": issued.chain, "private_key": issued.private_key.reveal()}))


@pytest.fixture
def stored(client: Callable[[str], Any], tmp_path: Path) -> Stored:
    secrets = client("secretsmanager")
    arn = secrets.create_secret(Name=f"certificate-{uuid4()}", SecretString="{}")["ARN"]
    door = FrontDoor(HOST, SecretRef(arn), (), None, "files")
    layout = Layout(tmp_path / "release", tmp_path / "root", tmp_path / "etc", tmp_path / "run")
    made = Stored(make_machine(front_door=door), layout, open_local_ca(tmp_path / "ca"), secrets, MachineAws("us-east-1", waits=()))
    issued = made.authority.issue((HOST,))
    layout.certificate.parent.mkdir(parents=True)
    layout.certificate.write_text(issued.chain)
    layout.key.write_text(issued.private_key.reveal())
    made.put(json.dumps({"certificate": issued.chain, "private_key": issued.private_key.reveal()}))
    return made


@dataclass
class Caller(threading.Thread):
    """A client that opens a new TLS connection every 50 ms, and remembers which certificates it saw."""

    port: int
    trust: ssl.SSLContext
    seen: list[bytes] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self.done.wait(0.05):
            try:
                self.seen.append(self.call())
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))

    def call(self) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", self.port), 10) as plain,
            self.trust.wrap_socket(plain, server_hostname=HOST) as tls,
        ):
            tls.sendall(f"GET /nothing HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(tls)
            answer.begin()
            assert answer.status == 404
            answer.read()
            return tls.getpeercert(binary_form=True) or b""


@contextlib.contextmanager
def nginx(stored: Stored, folder: Path, port: int) -> Iterator[list[str]]:
    """The real front door of the machine; yields the command that reloads it."""
    (folder / "tmp").mkdir()
    place = NginxPaths(folder / "pid", folder, folder / "tmp", "user root;" if os.geteuid() == 0 else "", "127.0.0.1")
    door = FrontDoor("", stored.door.certificate, (Listener(port, "public", ()),), None)
    conf = folder / "nginx.conf"
    conf.write_text(render_nginx_conf(door, stored.layout, place))
    with subprocess.Popen(["/usr/sbin/nginx", "-c", str(conf), "-g", "daemon off;"]) as server:
        try:
            yield ["/usr/sbin/nginx", "-c", str(conf), "-s", "reload"]
        finally:
            server.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.needs("nginx")
def test_renewals_under_load(stored: Stored, tmp_path: Path) -> None:
    """Clients that connect every 50 ms see each new certificate, and not one of their requests fails."""
    port = free_port()
    trust = ssl.create_default_context(cafile=stored.authority.ca_file)
    with nginx(stored, tmp_path, port) as command:
        reload = partial(run, *command)
        until(lambda: is_open(port))
        caller = Caller(port, trust)
        caller.start()
        for number in (1, 2, 3):
            until(lambda number=number: len(set(caller.seen)) == number)
            stored.renew()
            assert stored.serve(reload)
            assert not stored.serve(reload)
        until(lambda: len(set(caller.seen)) == 4)
        caller.done.set()
        caller.join()
    assert caller.failed == []
    assert len(caller.seen) > 4


@pytest.mark.parametrize("unusable", ["{}", "no JSON", '{"certificate": "x", "private_key": "y"}', "expired"])
def test_a_certificate_that_no_server_can_use(stored: Stored, unusable: str) -> None:
    """It is refused, nothing is reloaded, and the one before is served on."""
    before = stored.layout.certificate.read_text()
    if unusable == "expired":
        stored.renew(older=timedelta(days=91))
    else:
        stored.put(unusable)
    with pytest.raises(StepFailed):
        stored.serve(lambda: pytest.fail("reloaded"))
    assert stored.layout.certificate.read_text() == before
    assert {file.name for file in stored.layout.certificate.parent.iterdir()} == {"certificate.pem", "key.pem"}


def test_a_server_that_refuses(stored: Stored) -> None:
    """If nginx does not take the new pair, the old one is put back."""
    before = (stored.layout.certificate.read_text(), stored.layout.key.read_text())
    stored.renew()
    with pytest.raises(StepFailed):
        stored.serve(partial(run, "false"))
    assert (stored.layout.certificate.read_text(), stored.layout.key.read_text()) == before


class Ended(Exception):
    """The service ends here."""


def test_a_service_that_ended_before_its_reload(stored: Stored) -> None:
    """Its successor finds the new files in place, so only a reload lets nginx serve them: it begins with one, and makes no second."""
    stored.renew()
    with pytest.raises(Ended):
        stored.serve(_end)
    reloads: list[bool] = []
    looks = iter((None, None))
    with pytest.raises(Ended):
        follow(stored.aws, stored.door, stored.layout, lambda: reloads.append(True), lambda _: next(looks, Ended) is Ended and _end())
    assert reloads == [True]


def _end(*_: object) -> None:
    raise Ended


def test_each_warning_once_a_day(stored: Stored, client: Callable[[str], Any], capfd: pytest.CaptureFixture[str]) -> None:
    """The clock moves by six hours: no warning while there is time, then each window's once a day, with the renewal of its source."""
    start, warned = clock.now(), []
    for quarter in range(4 * 59, 4 * 91, 2):
        now = start + timedelta(hours=6 * quarter)
        if watch(stored.aws, stored.machine, stored.layout, now):
            warned.append(now.date())
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "certificate.expires" in line]
    assert len(events) == len(warned)
    assert min(warned) == (start + timedelta(days=60)).date()
    # Thirty days, one more warning on the day of each later window, and the days after the end.
    assert 30 <= len(set(warned)) <= len(warned) <= len(set(warned)) + 3
    assert all("Run `sre-agent-deploy deploy`" in event["do"][1] for event in events)
    assert {event["code"] for event in events} == {"TLS-EXPIRES-SOON", "TLS-EXPIRED"}
    listed = client("cloudwatch").list_metrics(Namespace=metrics.namespace(stored.machine.deployment_id))["Metrics"]
    assert {(each["MetricName"], len(each["Dimensions"])) for each in listed} == {(metrics.CERTIFICATE_DAYS, 0)}
