"""A desk for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviours.command_line import Desk

# What most tests here do again and again, a few do once, and coverage makes it half as long again.
MEASURED = {"test_demo", "test_deploy_on_one_machine", "test_local_mode", "test_output", "test_production_path"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem not in MEASURED:
            item.add_marker(pytest.mark.unmeasured)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.configure()
    yield desk
    desk.close()
