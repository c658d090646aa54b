"""Turn what a file system refuses - no permission, no space, no such place to write - into a Problem that a user can correct."""

from __future__ import annotations

import errno

from sre_core.problem import Problem
from sre_core.state_folder import problem_behind

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


def file_problem(error: OSError) -> Problem | None:
    """Explain a refused file; None for any other error, which is not the user's to correct."""
    if problem := problem_behind(error):
        return problem
    place = str(error.filename or "The output")
    if error.errno in _FULL:
        return _problem(place, error, "Make room (`df -h`; a quota or `ulimit -f` counts too).")
    if error.errno in _REFUSED:
        return _problem(
            place, error, f"Give yourself the right to write there (`ls -ld {place}` shows the owner), or choose another place."
        )
    return None


def _problem(place: str, error: OSError, correction: str) -> Problem:
    return Problem(
        code="FILE-REFUSED",
        what=f"{place} could not be read or written.",
        why=f"The operating system says: {error.strerror}.",
        do=(
            correction,
            "State, reports and connections are kept in $SRE_AGENT_STATE_DIR where it is set, else in ~/.local/state/sre-agent.",
            "Run the same command again.",
        ),
    )
