"""What a cleanup says at its end."""

from __future__ import annotations

from sre_agent_deploy.cleanup import Cleaned
from sre_agent_deploy.cli.cleanup import left
from sre_core.problem import Problem

TOLD = Problem(code="CLEANUP-NOT-OURS", what="It was not deleted.", why="It is not ours.", do=("Leave it.",))


def test_what_the_same_command_alone_does_not_help() -> None:
    """What is to be done first stands in each problem; a refusal to list is not counted as something that remains."""
    assert left(Cleaned((), (TOLD,))) == "0 deleted. Why not all is said above: do what stands there, then run the same command again."


def test_a_stop() -> None:
    """How much is left is not known, so no number is told."""
    assert left(Cleaned((), (TOLD,), stopped=True)) == "0 deleted before the stop."
