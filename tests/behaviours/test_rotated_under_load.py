"""Keys, client secrets and the authority are exchanged while twenty clients send requests: no request fails."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from behaviours.assertions import assert_exchanged, assert_unchanged, records, secret_values
from behaviours.command_line import Desk
from fixtures.sample import THOROUGH

CLIENTS = 20
# Each request is three more, for secret, discovery and token. The clients of one sort take turns, so that in each half of a second one asks
# the assistant, and one of the others comes in each third. More would only take the processors from the rotation itself.
_PAUSES = {"tool": 2.0, "door": 2.0, "question": 2.0} if THOROUGH else {"tool": 5.0, "door": 5.0, "question": 2.0}


@dataclass
class Crowd:
    """Twenty clients: eight call tools at the gateway, eight ask the assistant's door, four the assistant itself.

    Each reads connection file, CA bundle and client secret anew for each request, as a command that was just started does.
    """

    desk: Desk
    secrets: dict[str, str]
    gateway: str
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        jobs = {"tool": 8, "door": 8, "question": 4}
        turns = [(job, _PAUSES[job] * number / clients) for job, clients in jobs.items() for number in range(clients)]
        threads = [threading.Thread(target=self._go_on, args=turn) for turn in turns]
        assert len(threads) == CLIENTS
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(120)

    def _go_on(self, job: str, begins: float) -> None:
        aws = self.desk.client("secretsmanager")
        self._stop.wait(begins)
        while not self._stop.is_set():
            try:
                getattr(self, f"_{job}")(aws)
                self.answered[job] += 1
            except (OSError, ValueError, KeyError, AssertionError, BotoCoreError, ClientError, HTTPException) as error:
                detail = error.read()[:300] if isinstance(error, urllib.error.HTTPError) else ""
                self.failed.append(f"{time.strftime('%X')} {job}: {error!r} {detail!r}")
            self._stop.wait(_PAUSES[job])

    def _tool(self, aws: Any) -> None:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "runbooks___search_runbooks", "arguments": {}}}
        answer = self._post(self.gateway, json.dumps(call).encode(), self._token(aws, "gateway_client", "gateway.invoke"))
        assert '"isError":false' in answer.replace(" ", ""), answer[:300]

    def _door(self, aws: Any) -> None:
        try:
            self._post(f"{self._connection()['assistant_url']}/no-path", b"{}", self._token(aws, "caller_client", "assistant.invoke"))
        except urllib.error.HTTPError as refused:
            assert refused.code == 404, refused

    def _question(self, aws: Any) -> None:
        body = json.dumps({"input": {"prompt": "what does the runbook for high memory say?"}}).encode()
        self._post(f"{self._connection()['assistant_url']}/invocations", body, self._token(aws, "caller_client", "assistant.invoke"))

    def _token(self, aws: Any, client: str, scope: str) -> str:
        kept = json.loads(aws.get_secret_value(SecretId=self.secrets[client])["SecretString"])
        form = {"grant_type": "client_credentials", "scope": f"sre-agent/{scope}", **kept}
        with urllib.request.urlopen(self._connection()["oidc_discovery_url"], context=self._trust()) as answer:
            endpoint = json.load(answer)["token_endpoint"]
        request = urllib.request.Request(endpoint, urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, context=self._trust()) as answer:
            return str(json.load(answer)["access_token"])

    def _post(self, url: str, body: bytes, token: str) -> str:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), context=self._trust(), timeout=60) as answer:
            return str(answer.read().decode())

    def _connection(self) -> dict[str, Any]:
        [file] = (self.desk.state_dir / "connections").glob("*.json")
        document: dict[str, Any] = json.loads(file.read_text())
        return document

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=Path(self._connection()["ca_file"]).read_text())


@pytest.fixture
def crowd(deployed: Desk) -> Crowd:
    secrets = {name: records(deployed)[f"{name}_secret-1"]["id"] for name in ("gateway_client", "caller_client")}
    return Crowd(deployed, secrets, deployed.deploy("output", "gateway_url").out.strip())


def test_rotate_all_under_load(deployed: Desk, crowd: Crowd) -> None:
    """Every value is another one afterwards, what was valid before is refused, and a plan has nothing to do."""
    before, authority = secret_values(deployed), (deployed.state_dir / "local-ca" / "ca.pem").read_text()
    with crowd.asking():
        ended = deployed.deploy("rotate", "all", "--overlap", "6s")
        assert ended.code == 0, ended.text
    assert crowd.failed == []
    assert min(crowd.answered[job] for job in ("tool", "door", "question")) > 5, crowd.answered
    after = secret_values(deployed)
    assert_exchanged(deployed, before, after)
    assert (deployed.state_dir / "local-ca" / "ca.pem").read_text() != authority
    assert authority not in Path(crowd._connection()["ca_file"]).read_text()
    # The last step has verified the deployment already.
    assert_unchanged(deployed)
    shown = ended.text + deployed.state_file.read_text()
    assert not any(value in shown for text in (*before, *after) for value in json.loads(text).values() if len(value) > 30)
