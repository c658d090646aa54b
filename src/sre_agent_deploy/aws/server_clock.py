"""AWS's clock, read from the `Date` of its answers: this machine's may be wrong by hours, and differs from other machines'."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sre_core import clock


class ServerClock:
    """The time of the last answer of one session, and what has passed since."""

    def __init__(self) -> None:
        self._answered: tuple[datetime, float] | None = None

    def note_answer(self, parsed: Mapping[str, Any], **_: Any) -> None:
        """Handle botocore's `after-call`, which comes with every answer, refusals included."""
        said = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            self._answered = parsedate_to_datetime(said), clock.elapsed()
        except ValueError:  # an answer without a date
            return

    def now(self) -> datetime:
        """Return AWS's time, to about a second; this machine's while no answer has come yet."""
        if self._answered is None:
            return clock.now()
        answered, at = self._answered
        return answered + timedelta(seconds=clock.elapsed() - at)
