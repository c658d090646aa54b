"""Credentials from an exec plugin of a kubeconfig (`aws eks get-token`, `gke-gcloud-auth-plugin`, `kubelogin`).

The contract between client and plugin: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress

import httpx2
from lightkube.config.models import UserExec

from sre_core.problem import Problem, Refused

PLUGIN_SECONDS = 15.0


class PluginAuth(httpx2.Auth):
    """Sends the token of a plugin, and runs the plugin again when the server no longer accepts it. Requests share one run."""

    def __init__(self, plugin: UserExec) -> None:
        self._plugin = plugin
        self._token = ""
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = self._token or await self._renew("")
        request.headers["Authorization"] = f"Bearer {token}"
        answer = yield request
        if answer.status_code == 401:
            request.headers["Authorization"] = f"Bearer {await self._renew(token)}"
            yield request

    async def _renew(self, refused: str) -> str:
        """Run the plugin, unless another request has done so meanwhile."""
        async with self._lock:
            if self._token == refused:
                self._token = await run_plugin(self._plugin)
            return self._token


async def run_plugin(plugin: UserExec, seconds: float = PLUGIN_SECONDS) -> str:
    """Run a plugin and return its token. Raises Refused when it can't be run, fails, does not end in time, or gives no token."""
    command = [plugin.command, *(plugin.args or [])]
    environment = {**os.environ, **{each.name: each.value for each in plugin.env or []}, "KUBERNETES_EXEC_INFO": _request(plugin)}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except OSError as fault:
        raise Refused(_failed(plugin, f"It can't be started: {fault.strerror}.")) from None
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        await _kill(process)
        raise Refused(_failed(plugin, f"It did not end within {seconds:.0f} seconds.")) from None
    except asyncio.CancelledError:
        await _kill(process)
        raise
    if process.returncode:
        raise Refused(_failed(plugin, f"It ended with {process.returncode}: {err.decode(errors='replace').strip()[-300:]}"))
    return _read_token(plugin, out)


async def _kill(process: Process) -> None:
    """Kill a plugin with what it started: a script that waits for `aws` would leave it behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # what left the group may hold the pipes
        await asyncio.wait_for(process.wait(), 1)


def _request(plugin: UserExec) -> str:
    return json.dumps({"apiVersion": plugin.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}})


def _read_token(plugin: UserExec, out: bytes) -> str:
    try:
        return str(json.loads(out)["status"]["token"])
    except (ValueError, KeyError, TypeError):
        raise Refused(_failed(plugin, "It gave no token; client certificates of plugins are not supported.")) from None


def _failed(plugin: UserExec, why: str) -> Problem:
    return Problem(
        code="SVC-KUBECONFIG-PLUGIN",
        what=f"The kubeconfig's plugin {plugin.command} gave no credential.",
        why=why,
        do=(
            f"Install {plugin.command} where the service runs, or log in again; kubectl get pods shows if it works.",
            plugin.installHint or "Or use a kubeconfig with the token of a service account.",
        ),
    )
