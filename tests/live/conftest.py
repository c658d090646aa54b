"""The steps in an account run by `make test-aws` alone: without its run there is no account, and they are not collected."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.has_plugin("live-run"):
        items[:] = [item for item in items if not item.get_closest_marker("live")]


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Any:
    """The run whose account these steps work in."""
    return request.config.pluginmanager.get_plugin("live-run")
