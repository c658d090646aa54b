"""The instance metadata service, version 2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from booted.network import ADDRESS, MAC

_TOKEN = "X-aws-ec2-metadata-token"


@contextlib.asynccontextmanager
async def serve(listening: socket.socket, instance: Mapping[str, Any]) -> AsyncIterator[None]:
    """Answer as the metadata service of this instance does, only to requests with a token."""
    app = web.Application()
    tokens: set[str] = set()
    files = describe(instance)

    async def issue(request: web.Request) -> web.Response:
        if f"{_TOKEN}-ttl-seconds" not in request.headers:
            return web.Response(status=400)
        token = secrets.token_urlsafe(32)
        tokens.add(token)
        return web.Response(text=token)

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get(_TOKEN) not in tokens:
            return web.Response(status=401)
        found = look_up(files, request.match_info["path"])
        return web.Response(status=404) if found is None else web.Response(body=found, content_type="text/plain")

    app.router.add_put("/latest/api/token", issue)
    app.router.add_get("/{version}/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        yield
    finally:
        await runner.cleanup()


def describe(instance: Mapping[str, Any]) -> dict[str, bytes]:
    """Return every file of the service, by its path."""
    meta = {
        "instance-id": instance["instance_id"],
        "ami-id": "ami-0d27e0fb3bac4d724",
        "instance-type": "t3.xlarge",
        "hostname": "ip-10-0-0-10.ec2.internal",
        "local-hostname": "ip-10-0-0-10.ec2.internal",
        "local-ipv4": ADDRESS,
        "mac": MAC,
        f"network/interfaces/macs/{MAC}/device-number": "0",
        f"network/interfaces/macs/{MAC}/local-ipv4s": ADDRESS,
        **({"ipv6": ipv6, f"network/interfaces/macs/{MAC}/ipv6s": ipv6} if (ipv6 := instance["ipv6_address"]) else {}),
        f"network/interfaces/macs/{MAC}/subnet-ipv4-cidr-block": "10.0.0.0/24",
        "placement/availability-zone": f"{instance['region']}a",
        "placement/region": instance["region"],
        "services/domain": "amazonaws.com",
        **_credentials(instance["role"]),
    }
    identity = {"region": instance["region"], "instanceId": instance["instance_id"], "accountId": instance["account_id"]}
    # Without `dynamic` cloud-init waits five seconds for each file that it misses.
    files = {f"meta-data/{path}": text for path, text in meta.items()}
    files["dynamic/instance-identity/document"] = json.dumps(identity)
    return {path: text.encode() for path, text in files.items()} | {"user-data": base64.b64decode(instance["user_data"])}


def look_up(files: Mapping[str, bytes], path: str) -> bytes | None:
    """Return a file, or the names in a folder, one a line; None where there is neither."""
    path = path.strip("/")
    if path in files:
        return files[path]
    prefix = f"{path}/" if path else ""
    below = [name.removeprefix(prefix) for name in files if name.startswith(prefix)]
    names = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in below})
    return "\n".join(names).encode() or None


def _credentials(role: Mapping[str, str]) -> dict[str, str]:
    if not role:
        return {}
    document = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z"}
    document |= {name: role[name] for name in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")}
    return {f"iam/security-credentials/{role['arn'].rpartition('/')[2]}": json.dumps(document)}
