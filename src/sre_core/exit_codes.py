"""The exit codes of both programs (pure)."""

from __future__ import annotations

from collections.abc import Mapping

DONE = 0
FAILED = 1
CHANGES = 2
USAGE = 64
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = {
    DONE: "done, or nothing to do",
    FAILED: "failed; the problems say why and what to do",
    CHANGES: "`plan` found changes",
    USAGE: "the command line is wrong (EX_USAGE of sysexits.h); nothing was done",
    INTERRUPTED: "interrupted by Ctrl-C or SIGTERM; `resume` continues",
}
"""What each code means, for `--help` and the documentation."""
