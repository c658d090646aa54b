"""An older version of our format goes through every step to the current one."""

from __future__ import annotations

import pytest

from sre_agent_deploy.config.edit import put, rename_key
from sre_agent_deploy.config.models import VERSION
from sre_agent_deploy.migrate import STEPS, Step, find_due_steps, upgrade
from sre_core.problem import Problem

STEPS_THAT_MIGHT_BE = (
    Step(2, "aws.home is aws.region", lambda text: rename_key(text, ("aws", "home"), "region")),
    Step(1, "the default name is written out", lambda text: put(text, ("name",), "sre")),
)


def test_every_version_before_the_current_one_has_a_step() -> None:
    """The chain has no gap: a file of any version that ever was can be read."""
    assert sorted(step.version for step in STEPS) == list(range(1, VERSION))


@pytest.mark.parametrize("version", ["version: 1  # first\n", ""])
def test_from_the_first_version(version: str) -> None:
    """Each step in its order, the number written, all comments kept."""
    text = upgrade(f"{version}# mine\naws:\n  home: x  # where\n", STEPS_THAT_MIGHT_BE, 3)
    assert isinstance(text, str)
    assert "# mine\naws:\n  region: x  # where\n" in text
    assert "version: 3" in text
    assert "name: sre" in text


def test_what_is_current_or_newer_stays() -> None:
    """Not one character changes."""
    for text in ("version: 3\n", "version: 4\n", "version: x\n", "version: [\n"):
        assert upgrade(text, STEPS_THAT_MIGHT_BE, 3) == text
        assert not find_due_steps(text, STEPS_THAT_MIGHT_BE, 3)


def test_a_step_that_fails() -> None:
    """Its Problem is the answer; nothing half done comes out."""
    assert isinstance(upgrade("version: 1\nname: [a]\naws: x\n", (Step(1, "", lambda text: put(text, ("aws", "a"), "b")),), 2), Problem)
