"""Run one start of the local AWS, from nothing to answering and back, in the order of this file."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from embedded_aws import compute, listener, registry, strict
from embedded_aws.account import ACCOUNT_ID, Account
from embedded_aws.agentcore.control import Regions
from embedded_aws.bedrock.converse import Bedrock
from embedded_aws.credentials import AccessKey, Keyring, new_root_key
from embedded_aws.event_delivery import EventDelivery
from embedded_aws.faults.faults import Faults
from embedded_aws.health_checks import HealthCheckers
from embedded_aws.instances.boot import Boot, boot, report_ready
from embedded_aws.instances.program import boot_by_program
from embedded_aws.moto_app import MotoApp, configure_moto
from embedded_aws.oauth.endpoints import OAuthEndpoints
from embedded_aws.registry import Registry
from embedded_aws.router import Router
from sre_core import clock
from sre_core.process import Identity


@dataclass(frozen=True)
class Settings:
    """The options of a start."""

    state_dir: Path
    region: str
    boots: bool = True
    """Whether instances run their services, or only report that they are ready."""
    boot_with: tuple[str, ...] = ()
    """The command that boots an instance in place of this process; see `instances/program.py`."""
    faults: Faults = field(default_factory=Faults)
    bedrock_script: Path | None = None
    """The script by which Bedrock's models answer; without one they refuse every request."""

    @property
    def ca_file(self) -> Path:
        return self.state_dir / "ca.pem"

    @property
    def log_file(self) -> Path:
        return self.state_dir / "embedded-aws.log"


async def serve(settings: Settings, ready: Callable[[Registry], None]) -> None:
    """Run until SIGTERM or SIGINT; call `ready` once everything answers."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with run(settings) as started:
        registry.write(settings.state_dir, started)
        ready(started)
        await stop.wait()
    registry.path_in(settings.state_dir).unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def run(settings: Settings) -> AsyncIterator[Registry]:
    """Run the local AWS; everything that it started ends with the block."""
    configure_moto()
    start_id = secrets.token_hex(8)
    listening = listener.bind("127.0.0.1", 0)
    key = new_root_key(ACCOUNT_ID)
    with _folder(settings.state_dir, start_id) as folder:
        account = Account(region=settings.region, folder=folder, ca_file=settings.ca_file, endpoint=_url(listening))
        async with _answering(account, key, listening, settings):
            yield _registry(settings, start_id, account, key)


@contextlib.asynccontextmanager
async def _answering(account: Account, key: AccessKey, listening: socket.socket, settings: Settings) -> AsyncIterator[None]:
    strict.apply(account.addresses)
    agentcore = Regions(account)
    async with compute.connect_machines(account, _choose_boot(settings)) as machines:
        router = Router(
            port=listening.getsockname()[1],
            keyring=Keyring(account.account_id, key),
            oauth=OAuthEndpoints(account.account_id, account.endpoint, account.record_event),
            apps={"bedrock-agentcore": agentcore.plane, "bedrock": Bedrock(settings.bedrock_script).plane},
            everything_else=machines.report_after(MotoApp()),
            faults=settings.faults,
            find_invocation=agentcore.find_invocation,
        )
        works = (HealthCheckers(account).run(), EventDelivery(account.account_id, account.recorded).run())
        tasks = [asyncio.create_task(work) for work in works]
        endpoint = await listener.serve(router, account.authority.issue("127.0.0.1", "localhost"), listening, account.folder)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await endpoint.close()
            await agentcore.close()


def _choose_boot(settings: Settings) -> Boot:
    if settings.boot_with:
        return boot_by_program(settings.boot_with)
    return boot if settings.boots else report_ready


@contextlib.contextmanager
def _folder(state_dir: Path, start_id: str) -> Iterator[Path]:
    folder = state_dir / f"start-{start_id}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _url(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"https://{address}:{port}"


def _registry(settings: Settings, start_id: str, account: Account, key: AccessKey) -> Registry:
    return Registry(
        start_id=start_id,
        process=Identity.mine(),
        started_at=clock.stamp(),
        endpoint=account.endpoint,
        ca_file=settings.ca_file,
        log_file=settings.log_file,
        account_id=account.account_id,
        region=account.region,
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
    )
