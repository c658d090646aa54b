"""Ctrl-C outside of a run: one line and exit code 130, never a traceback, and never without an effect.

Python loses a Ctrl-C in two places. A signal between the display of a prompt and the system call that waits for the answer
interrupts nothing, so its handler runs only after the next key. A KeyboardInterrupt inside a callback of the garbage collector
is discarded. Both are sent again until the command has seen one.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import select
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sre_core.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from types import FrameType

# Seconds after which a Ctrl-C without an effect is sent again.
_AGAIN_AFTER = 0.2


@dataclass
class _Watch:
    """The number of signals that a handler has seen, and a pipe with a byte for each signal that none has seen yet."""

    seen: int = 0
    unseen: int | None = None


_watch = _Watch()


def exit_on_ctrl_c() -> None:
    """End the process at once on Ctrl-C.

    A KeyboardInterrupt inside an import shows a traceback. A signal that the caller ignores stays ignored.
    """
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _raise):
        signal.signal(signal.SIGINT, _exit)


def raise_on_ctrl_c() -> None:
    """Raise KeyboardInterrupt on Ctrl-C, for a command that must clean up."""
    if signal.getsignal(signal.SIGINT) is _exit:
        _watch_signals()
        signal.signal(signal.SIGINT, _raise)


def _exit(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, b"Interrupted.\n")
    finally:
        os._exit(INTERRUPTED)


def acknowledge() -> None:
    """Record that a handler has seen the signal, so that it is not sent again."""
    if _watch.unseen is not None:
        with contextlib.suppress(BlockingIOError):
            os.read(_watch.unseen, 4096)
    _watch.seen += 1


def _raise(number: int, frame: FrameType | None) -> None:
    acknowledge()
    raise KeyboardInterrupt


def _watch_signals() -> None:
    """Begin to send a lost Ctrl-C again. The interpreter writes a byte for each signal, also while it waits for input."""
    unseen, writer = os.pipe()
    os.set_blocking(unseen, False)
    os.set_blocking(writer, False)
    _watch.unseen = unseen
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_repeat_until_seen, args=(unseen,), daemon=True, name="ctrl-c").start()
    hook = sys.unraisablehook

    def resend_discarded(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            # `threading` takes locks that the interrupted code may hold.
            _thread.start_new_thread(_send_later, ())
        else:
            hook(unraisable)

    sys.unraisablehook = resend_discarded


def _repeat_until_seen(unseen: int) -> None:
    """Send the signal again while its byte stays in the pipe. Only a handler reads it, so a second Ctrl-C is not taken for the first."""
    while select.select([unseen], [], [])[0]:
        before = _watch.seen
        time.sleep(_AGAIN_AFTER)
        still = select.select([unseen], [], [], 0)[0]
        if still and _watch.seen == before and signal.getsignal(signal.SIGINT) is _raise:
            _send()


def _send_later() -> None:
    time.sleep(_AGAIN_AFTER)
    _send()


def _send() -> None:
    """Send SIGINT to the main thread itself: only there does it interrupt the wait for an answer."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
