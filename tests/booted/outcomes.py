"""Results of a run: one line for each promise, with its time."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError


class Broken(Exception):
    """A promise that was not kept, and what was there instead."""


@dataclass
class Timed:
    """The time of one promise. It is measured from start to end of its block, unless the block knows better."""

    seconds: float = 0.0
    facts: str = ""


@dataclass
class Outcomes:
    """The lines of a run; each is printed when it is known."""

    judges_times: bool = True
    """An emulated processor needs many times as long: its times are printed, and nothing more."""
    lines: list[str] = field(default_factory=list)
    broken: int = 0

    @contextmanager
    def promise(self, says: str, within: float) -> Iterator[Timed]:
        """Print if the block has kept the promise within its time. What goes wrong in it does not end the run."""
        timed, began, because = Timed(), time.monotonic(), ""
        try:
            yield timed
        except Broken as wrong:
            because = str(wrong)
        except (OSError, ValueError, LookupError, subprocess.SubprocessError, BotoCoreError, ClientError) as wrong:
            # What could not be asked is no reason to try nothing else.
            because = f"{type(wrong).__name__}: {wrong}"
        timed.seconds = timed.seconds or time.monotonic() - began
        if not because and self.judges_times and timed.seconds > within:
            because = f"later than {within:.0f} s"
        self._add(says, timed, because)

    def skip(self, says: str, because: str) -> None:
        """Print that a promise was not tried, and why."""
        self.lines.append(f"?           {says} (not tried: {because})")
        print(self.lines[-1], flush=True)

    def _add(self, says: str, timed: Timed, because: str) -> None:
        facts = "; ".join(filter(None, (timed.facts, because)))
        self.lines.append(f"{'FAIL' if because else 'ok  '} {timed.seconds:6.1f} s  {says}{f' ({facts})' if facts else ''}")
        self.broken += bool(because)
        print(self.lines[-1], flush=True)


def require(true: object, otherwise: str) -> None:
    """Raise Broken where something is not true."""
    if not true:
        raise Broken(otherwise)


def wait_until(true: Callable[[], object], seconds: float, otherwise: str) -> None:
    """Wait until a condition is true; Broken where it is not within these seconds. A machine that can't be asked yet is waited for."""
    deadline = time.monotonic() + seconds
    while not true():
        require(time.monotonic() < deadline, otherwise)
        time.sleep(0.2)


class Watch:
    """Looks until something is true, beside what the block does; `at` is the time when it was."""

    def __init__(self, true: Callable[[], object]) -> None:
        self.at = 0.0
        self._true, self._ending = true, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ending.wait(0.2):
            if self._true():
                self.at = time.time()
                return

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
