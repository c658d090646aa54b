"""The program that orders a certificate waits for what it needs, and the one that makes backups for its time of day."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embedded_aws.instances.backups import find_next
from embedded_aws.instances.certificate_order import Ordering, end_task
from embedded_aws.world import NotAuthorized

from .conftest import MemoryAuthority, MemoryWorld


@dataclass
class ClosedWorld(MemoryWorld):
    """An account whose roles may read no secret."""

    reads: int = 0

    def secret(self, arn: str) -> str | None:
        self.reads += 1
        raise NotAuthorized(f"not authorized on resource: {arn}")


@pytest.mark.anyio
async def test_a_secret_that_the_role_may_not_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], eventually: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    """It is logged once and read again; the end of the machine meets no error of it."""
    world = ClosedWorld(tmp_path / "world", MemoryAuthority(tmp_path / "ca.pem"))
    task = asyncio.create_task(Ordering(world, "arn:certificate", tmp_path, "arn:profile").keep())
    await eventually(lambda: world.reads > 1 or task.done())
    assert not task.done()
    await end_task(task)
    assert capfd.readouterr().err.count("not authorized on resource: arn:certificate") == 1


@pytest.mark.parametrize(
    ("at", "expected"), [("02:30", (1, 2, 30)), ("12:00", (1, 12, 0)), ("12:01", (30, 12, 1)), ("23:59", (30, 23, 59))]
)
def test_the_next_backup(at: str, expected: tuple[int, int, int]) -> None:
    """It is the next time of day like this, today or tomorrow; now itself is past."""
    day, hour, minute = expected
    moment = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert find_next(at, moment) == datetime(2026, 12 if day == 1 else 11, day, hour, minute, tzinfo=UTC)
