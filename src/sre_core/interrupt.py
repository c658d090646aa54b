"""Ctrl-C while a program starts, or while it has nothing to clean up: one line and exit code 130, never a traceback."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from sre_core.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from types import FrameType


def exit_on_ctrl_c() -> None:
    """End the process at once on Ctrl-C.

    A KeyboardInterrupt inside an import shows a traceback, and one inside a callback of the garbage collector is lost. A signal that
    the caller ignores stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def raise_on_ctrl_c() -> None:
    """Raise KeyboardInterrupt again, for a command that must clean up."""
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, b"Interrupted.\n")
    finally:
        os._exit(INTERRUPTED)
