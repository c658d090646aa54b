"""Run the release's own program that orders and renews the certificate, as systemd does on a real machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded_aws.instances.credentials import role_environment
from embedded_aws.instances.user_data import find_written_file
from embedded_aws.world import NotAuthorized, World
from sre_core import log
from sre_core.machine import MACHINE_FILE, Machine

# On a real machine a timer starts it four times a day, and the program that follows the secret when that changes.
_AT_LEAST_EVERY, _LOOK_EVERY = 6 * 3600.0, 1.0


def is_ordered(machine: Machine) -> bool:
    """Say if the machine orders its certificate itself."""
    return machine.front_door.certificate_source == "letsencrypt"


@dataclass(frozen=True)
class Ordering:
    """The program of one instance, with the credentials of its role."""

    world: World
    secret_arn: str
    root: Path
    profile_arn: str

    @classmethod
    def plan(cls, world: World, machine: Machine, root: Path, user_data: bytes, profile_arn: str) -> Ordering:
        """Plan its program, and write the machine.json that it reads."""
        write_machine_file(root, user_data)
        return cls(world, machine.front_door.certificate.secret_arn, root, profile_arn)

    @property
    def proofs(self) -> Path:
        """Return the folder of the files that an ACME authority asks for."""
        return self.root / "run" / "acme"

    async def keep(self) -> None:
        """Run the program when the secret has another text, and after a while."""
        loop, seen, last = asyncio.get_running_loop(), None, 0.0
        events, failed = log.get(), ""
        while True:
            try:
                text, failed = self.world.secret(self.secret_arn), ""
            except NotAuthorized as denied:
                if str(denied) != failed:
                    events.error("certificate.not_ordered", because=str(denied))
                text, failed = None, str(denied)
            if text and (text != seen or loop.time() - last > _AT_LEAST_EVERY):
                seen, last = text, loop.time()
                await self._run()
            await asyncio.sleep(_LOOK_EVERY)

    async def _run(self) -> None:
        words = (str(self.root / "machine.json"), str(self.root / "release"), self.root.name, str(self.root / "run"))
        await run_program(self.world, self.root, self.profile_arn, "certificate_order", *words)


async def run_program(world: World, root: Path, profile_arn: str, module: str, *words: str) -> None:
    """Run one of the release's own programs to its end, with the role of the instance; its output is in the instance's logs."""
    command = ("-m", f"sre_agent_deploy.instance.{module}", *words)
    with (root / "logs" / f"{module}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=_environment(world, root, profile_arn), stdin=asyncio.subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _environment(world: World, root: Path, profile_arn: str) -> Mapping[str, str]:
    """Return what the program sees: of AWS, the role of its instance and the local endpoint only."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(root),
        "PYTHONPATH": str(root / "release"),
        **role_environment(world, profile_arn, root.name, root / "trusted.pem"),
        "AWS_ENDPOINT_URL": world.endpoint,
    }


def write_machine_file(root: Path, user_data: bytes) -> str:
    """Write the machine.json that cloud-init would write, and return its path."""
    file = root / "machine.json"
    file.write_text(find_written_file(user_data, MACHINE_FILE) or "", encoding="utf-8")
    return str(file)


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait until it has ended what it started."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
