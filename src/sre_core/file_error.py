"""What a file system refuses - no right, no room, no such place to write - is for the user to correct, and told like it."""

from __future__ import annotations

import errno

from sre_core.problem import Problem

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


def file_problem(error: OSError) -> Problem | None:
    """The Problem of a refused file; None for any other error, which is not the user's to correct."""
    place = str(error.filename or "The output")
    if error.errno in _FULL:
        return _problem(place, error, "Make room (`df -h`; a quota or `ulimit -f` counts too).")
    if error.errno in _REFUSED:
        return _problem(place, error, "Give yourself the right to write there, or choose another place.")
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
