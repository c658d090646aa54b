"""Twenty clients that ask a deployment all the time, each request over a new TLS connection, as browsers and webhooks do."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from behaviours.command_line import Desk
from fixtures.sample import THOROUGH

CLIENTS = 20
SLOW = 10.0
# Twenty requests a second from all keep every moment of an update busy; four hundred take a processor from what they watch.
PAUSE = 0.05 if THOROUGH else 1.0
CONNECT: Callable[[tuple[str, int]], socket.socket] = partial(socket.create_connection, timeout=30)


@dataclass
class Clients:
    """Counts the good answers to the clients, and records each bad one with its time."""

    host: str
    trust: ssl.SSLContext
    connect: Callable[[tuple[str, int]], socket.socket]
    port: int
    address: str = ""
    pause: float = PAUSE
    """Seconds from an answer to the next request of the same client."""
    answered: int = 0
    slow: int = 0
    """The number of good answers to requests of SLOW seconds."""
    failed: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def ask(self, takes: float = 0.0) -> None:
        """Ask until the end, with requests that take so many seconds from the first byte to the answer."""
        while not self.ending.wait(self.pause):
            address = self.address
            try:
                with (
                    self.connect((address, self.port)) as connection,
                    self.trust.wrap_socket(connection, server_hostname=self.host) as tls,
                ):
                    tls.sendall(f"GET /ping HTTP/1.1\r\nHost: {self.host}\r\n".encode())
                    time.sleep(takes)
                    tls.sendall(b"Connection: close\r\n\r\n")
                    status = tls.recv(64).split(b" ", 2)[1:2]
            except OSError as error:
                self.failed.append(f"{time.time():.2f} {address}: {error!r}")
                continue
            if status == [b"200"]:
                self.answered += 1
                self.slow += bool(takes)
            else:
                self.failed.append(f"{time.time():.2f} {address}: {status}")


@contextmanager
def asking(
    desk: Desk,
    ca_file: Path,
    host: str = "",
    zone: str = "",
    *,
    kind: str = "A",
    connect: Callable[[tuple[str, int]], socket.socket] = CONNECT,
    slowly: bool = False,
    pause: float = PAUSE,
) -> Iterator[Clients]:
    """Ask until the block ends. A name is looked up as a resolver does that keeps it for a second.

    `slowly`: and two more clients ask with requests that take ten seconds each.
    """
    route53, address = desk.client("route53"), desk.client("ec2").describe_addresses()["Addresses"][0]
    # In the local AWS another port takes the place of 443, and the address names it.
    port = int(next((tag["Value"] for tag in address["Tags"] if tag["Key"] == "embedded-aws:port-443"), 443))
    trust = ssl.create_default_context(cafile=str(ca_file))
    clients = Clients(host or address["PublicIp"], trust, connect, port, address["PublicIp"], pause)

    def resolve() -> None:
        records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        clients.address = next(record["ResourceRecords"][0]["Value"] for record in records if record["Type"] == kind)

    def keep_resolving() -> None:
        while not clients.ending.wait(1):
            resolve()

    if zone:
        resolve()
    threads = [threading.Thread(target=clients.ask) for _ in range(CLIENTS)]
    threads += [threading.Thread(target=clients.ask, args=(SLOW,)) for _ in range(2 if slowly else 0)]
    threads += [threading.Thread(target=keep_resolving)] if zone else []
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        clients.ending.set()
        for thread in threads:
            thread.join()


def fetch_token(desk: Desk, connection: Any, trust: ssl.SSLContext) -> str:
    """A caller's token, as any client of OAuth 2.0 gets it."""
    secret = desk.client("secretsmanager").get_secret_value(SecretId=connection["client_secret"]["secret_arn"])
    client = (connection["client_id"], json.loads(secret["SecretString"])["client_secret"])
    with httpx2.Client(verify=trust, timeout=120) as http:
        endpoint = http.get(connection["oidc_discovery_url"]).json()["token_endpoint"]
        form = {"grant_type": "client_credentials", "scope": connection["scope"]}
        return str(http.post(endpoint, data=form, auth=client).json()["access_token"])


def ask_in_session(desk: Desk, prompt: str) -> dict[str, Any]:
    """Ask a question of one session, as a program does that keeps nothing itself, and return what was answered."""
    [file] = (desk.state_dir / "connections").glob("*.json")
    connection, session = json.loads(file.read_text()), "incident-of-a-program-that-keeps-nothing"
    trust = ssl.create_default_context(cafile=connection["ca_file"])
    headers = {
        "Authorization": f"Bearer {fetch_token(desk, connection, trust)}",
        "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": session,
    }
    url = connection.get("invocations_url") or f"{connection['assistant_url'].rstrip('/')}/invocations"
    with httpx2.Client(verify=trust, timeout=120, headers=headers) as http:
        return dict(http.post(url, json={"input": {"prompt": prompt}}).json()["output"])
