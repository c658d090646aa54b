"""Run the assistant as AgentCore Runtime starts it, and ask it beyond the loopback: only in a network namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import Authority
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer

from sre_agent import on_runtime

ADDRESS = "10.9.8.7"
PATIENCE = 120.0


def main() -> None:
    """Print what the runtime answered, as JSON."""
    # Without such an address the test would prove nothing, and outside of a namespace it must not be there.
    for command in (("link", "set", "lo", "up"), ("address", "add", f"{ADDRESS}/32", "dev", "lo")):
        subprocess.run(["ip", *command], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority.create(folder)
        tools, backend = tools_and_backend("crash-loop")
        with Issuer.running(authority) as issuer, Gateway.running(tools, backend, issuer, authority) as gateway:
            started = subprocess.Popen([sys.executable, on_runtime.__file__], env=environment(folder, authority, issuer, gateway.url))
            try:
                answers = {"ping": wait_for("/ping"), "no token": ask("/invocations", b"{}")}
                question = json.dumps({"input": {"prompt": "How many nodes are there?"}}).encode()
                answers["question"] = ask("/invocations", question, issuer.token())
            finally:
                started.terminate()
                started.wait(30)
    print(json.dumps(answers))


def environment(folder: Path, authority: Authority, issuer: Issuer, gateway_url: str) -> dict[str, str]:
    (folder / "gateway-client-secret").write_text(issuer.secrets[GATEWAY_CLIENT])
    return {
        **os.environ,
        "GATEWAY_URL": gateway_url,
        "OIDC_DISCOVERY_URL": issuer.discovery_url,
        "GATEWAY_CLIENT_ID": GATEWAY_CLIENT,
        "GATEWAY_SCOPE": GATEWAY_SCOPE,
        "CALLER_CLIENT_ID": CALLER_CLIENT,
        "CALLER_SCOPE": CALLER_SCOPE,
        "CREDENTIALS_DIRECTORY": str(folder),
        "SSL_CERT_FILE": str(authority.ca_file),
    }


def ask(path: str, body: bytes | None = None, token: str = "") -> tuple[int, Any]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"http://{ADDRESS}:8080{path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_for(path: str) -> tuple[int, Any]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return ask(path)
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
