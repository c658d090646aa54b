"""The use of each question: JSON lines in a file, from which CloudWatch makes metrics. They name no question, answer or subject."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sre_agent.pool import Busy
from sre_agent.report import Report
from sre_core import clock, log, metrics


@dataclass
class Usage:
    """The use of one question: how many waited before it, its outcome, its calls of tools, and what each model used for it."""

    waiting: int
    outcome: str = "failed"
    calls: int = 0
    failed_calls: int = 0
    facts: dict[str, object] = field(default_factory=dict)
    models: tuple[Mapping[str, object], ...] = ()

    def finish(self, report: Report, calls: int, failed_calls: int) -> None:
        """Take the outcome, and what the models used, from the report."""
        self.outcome, self.calls, self.failed_calls = report.verdict, calls, failed_calls
        self.facts = {"investigation": report.investigation_id, "kind": report.kind, "reasoner": report.reasoner}
        models = report.model.get("models")
        self.models = tuple(models) if isinstance(models, list) else ()

    def lines(self, seconds: float) -> Iterator[Mapping[str, object]]:
        """Yield a line for the question, and one for each model that was asked."""
        common = {"time": clock.stamp(), **self.facts}
        counts = {"seconds": round(seconds, 3), "waiting": self.waiting, "calls": self.calls, "failed_calls": self.failed_calls}
        yield {"event": metrics.FINISHED, **common, "outcome": self.outcome, **counts}
        for model in self.models:
            yield {"event": metrics.MODEL_USED, **common, **model}


class UsageLog:
    """Appends to one file, or prints where it is asked to; otherwise it writes nothing."""

    def __init__(self, file: Path | None = None, *, printed: bool = False) -> None:
        self._file, self._printed = file, printed

    @contextmanager
    def record(self, waiting: int) -> Iterator[Usage]:
        """Write down one question when it ends, however it ends."""
        usage, began = Usage(waiting), time.monotonic()
        try:
            yield usage
        except Busy:
            usage.outcome = "busy"
            raise
        except asyncio.CancelledError:
            usage.outcome = "cancelled"
            raise
        finally:
            self._append(usage, time.monotonic() - began)

    def _append(self, usage: Usage, seconds: float) -> None:
        text = "".join(json.dumps(line) + "\n" for line in usage.lines(seconds))
        if self._printed:
            print(text, end="", flush=True)
        if self._file is None:
            return
        try:
            # nginx is in the group, and may read what it could otherwise forge.
            with open(self._file, "a", encoding="utf-8", opener=_open_for_owner) as lines:
                lines.write(text)
        except OSError as error:
            # A full disk has an alarm of its own; the answer is more than its metric.
            log.get().warning("usage.not_written", why=error.strerror or type(error).__name__)


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)
