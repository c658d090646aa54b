"""A desk for each test, and one deployment that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviours.command_line import Desk

# What most tests here do again and again, a few do once, and coverage makes it half as long again.
MEASURED = {"test_demo", "test_deploy_on_one_machine", "test_local_mode", "test_made_by_hand", "test_output", "test_production_path"}


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


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A verified deployment of the crash loop, which the tests of a file share."""
    desk = Desk(tmp_path_factory.mktemp("deployed"))
    desk.configure()
    ended = desk.deploy("deploy")
    assert ended.code == 0, ended.text
    yield desk
    desk.close()
