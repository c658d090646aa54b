"""One answer to where deployments leave their files, for the program that writes and the one that reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_core.problem import Refused
from sre_core.state_folder import find_problem, problem_behind, state_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"SRE_AGENT_STATE_DIR": "/chosen", "XDG_STATE_HOME": "/shared"}, Path("/chosen")),
        ({"XDG_STATE_HOME": "/shared"}, Path("/shared/sre-agent")),
        ({"SRE_AGENT_STATE_DIR": "", "XDG_STATE_HOME": ""}, Path.home() / ".local/state/sre-agent"),
    ],
)
def test_the_most_specific_setting_counts(environ: dict[str, str], folder: Path) -> None:
    """Its own variable, then the desktop's, then the home; an empty variable is none."""
    assert state_folder(environ) == folder


@pytest.mark.parametrize("place", ["file", "file/state", "link", "link/state", "link/state/below"])
def test_a_file_in_its_place(place: str, tmp_path: Path) -> None:
    """A state folder that can't be a folder is a Problem that names it, for every caller."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(Refused) as refused:
        state_folder({"SRE_AGENT_STATE_DIR": str(tmp_path / place)})
    (problem,) = refused.value.problems
    assert (problem.code, str(tmp_path / place) in problem.what, "is not a folder" in problem.why) == ("STATE-FOLDER-UNUSABLE", True, True)
    assert find_problem(tmp_path / place) == problem


def test_a_place_in_which_nothing_can_be_created(monkeypatch: pytest.MonkeyPatch) -> None:
    """In /proc not even root can; it shows where something is created, and an error about another file is another problem."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", "/proc/below/state")
    problem = find_problem(state_folder())
    assert problem
    assert problem_behind(FileNotFoundError(2, "No such file or directory", "/proc/below")) == problem
    assert problem_behind(FileNotFoundError(2, "No such file or directory", "/etc/passwords")) is None


def test_a_folder_that_can_be_used(tmp_path: Path) -> None:
    """There, or still to be created: finding out leaves nothing behind."""
    assert find_problem(tmp_path) is None
    assert find_problem(tmp_path / "new" / "state") is None
    assert not list(tmp_path.iterdir())
