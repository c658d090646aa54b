"""Shared by all tests: Hypothesis profiles and the `needs(program)` marker."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs an absent program is skipped with its name; under CI that is a failure."""
    absent = [name for mark in item.iter_markers("needs") for name in mark.args if not shutil.which(name)]
    if not absent:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must have {', '.join(absent)}")
    pytest.skip(f"needs {', '.join(absent)}")
