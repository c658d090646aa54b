"""Decide from dates alone if a certificate is valid, needs renewal, or is to be warned of (pure).

The windows are days for certificates of 90 days and more, and parts of their lifetime for shorter ones: authorities issue certificates
for 45 and for 6 days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sre_core import clock
from sre_core.problem import Problem

type Source = Literal["local_ca", "files", "letsencrypt"]
_SOURCES: tuple[Source, ...] = ("local_ca", "files", "letsencrypt")

RENEWAL = timedelta(days=30)
"""A certificate with less left than this is renewed, or its owner is warned: at most this, and a third of its lifetime."""

# The days before the end at which a warning begins, and the part of the lifetime where that is shorter.
_WARNINGS = ((RENEWAL, 3), (timedelta(days=7), 6), (timedelta(days=1), 12))
_DAY = timedelta(days=1)


def days_left(not_after: datetime, now: datetime) -> int:
    """Count the whole days until it expires; negative after that."""
    return (not_after - now) // _DAY


def list_windows(not_before: datetime, not_after: datetime) -> tuple[timedelta, ...]:
    """List the times before its end at which a certificate of this lifetime is warned of, the longest first."""
    return tuple(min(most, (not_after - not_before) / part) for most, part in _WARNINGS)


def needs_renewal(not_before: datetime, not_after: datetime, now: datetime) -> bool:
    """Say if it expires within the renewal window, or has expired."""
    return now >= renewal_begins(not_before, not_after)


def renewal_begins(not_before: datetime, not_after: datetime) -> datetime:
    """Return the time from which a certificate is to be renewed."""
    return not_after - list_windows(not_before, not_after)[0]


def judge_expiry(subject: str, not_before: datetime, not_after: datetime, now: datetime, source: Source | None = None) -> Problem | None:
    """Report an expired, not yet valid or soon expiring certificate with the renewal of its source; None while it is valid."""
    if now >= not_after:
        return _expired(subject, not_after, now, source)
    if now < not_before:
        return _not_yet_valid(subject, not_before)
    return _expires_soon(subject, not_before, not_after, now, source) if now >= warning_begins(not_before, not_after, source) else None


def warning_begins(not_before: datetime, not_after: datetime, source: Source | None) -> datetime:
    """Return the time from which a certificate is warned of. A machine that renews it by itself has a third of the window to do so."""
    begins = renewal_begins(not_before, not_after)
    return begins + (not_after - begins) / 3 if source == "letsencrypt" else begins


@dataclass(frozen=True)
class Warned:
    """The days on which each window of one certificate was last warned of. `certificate` is its fingerprint."""

    certificate: str = ""
    days: Mapping[str, str] | None = None

    def includes(self, window: str, day: str) -> bool:
        """Say if this window was warned of on this day."""
        return (self.days or {}).get(window) == day


def choose_warning(certificate: str, not_before: datetime, not_after: datetime, now: datetime, warned: Warned) -> tuple[bool, Warned]:
    """Decide if a warning is due now, and what is to be remembered: each window warns once on each day (UTC)."""
    window, day = _window_reached(not_before, not_after, now), f"{now:%Y-%m-%d}"
    known = warned if warned.certificate == certificate else Warned(certificate)
    if not window or known.includes(window, day):
        return False, known
    return True, Warned(certificate, {**(known.days or {}), window: day})


def _window_reached(not_before: datetime, not_after: datetime, now: datetime) -> str:
    """Name the innermost window that `now` is in: `first`, `second`, `third`, or `expired`; empty before them."""
    if now >= not_after:
        return "expired"
    reached = sum(not_after - now <= window for window in list_windows(not_before, not_after))
    return ("", "first", "second", "third")[reached]


def parse_source(text: str) -> Source | None:
    """Return the source of this name; None for any other text."""
    return next((source for source in _SOURCES if source == text), None)


def renewal_steps(source: Source | None) -> tuple[str, ...]:
    """Say how a certificate of this source is renewed; where the source is unknown, of any."""
    return _STEPS[source] if source else (f"Of your own files: {_STEPS['files'][0]}", *_STEPS["files"][1:])


_STEPS: dict[Source, tuple[str, ...]] = {
    "local_ca": ("Run `sre-agent-deploy deploy`: it issues a new certificate, and changes nothing else.",),
    "files": (
        "Renew the files at deployment.ssl_cert_path and deployment.ssl_key_path: `sudo certbot renew`, or order at your authority.",
        "Run `sre-agent-deploy deploy`: it stores the new certificate, and the machine serves it within a minute.",
    ),
    "letsencrypt": (
        "The machine renews it by itself, four times a day it looks: see why it could not with "
        "`sre-agent-deploy exec sudo journalctl -u sre-agent-certificate-order`.",
        "Correct what the authority names there: DNS must lead to the machine, and port 80 be open (http-01), or the role may change "
        "the record (dns-01).",
        "Let it try at once: `sre-agent-deploy exec sudo systemctl start sre-agent-certificate-order`.",
    ),
}


def _expired(subject: str, not_after: datetime, now: datetime, source: Source | None) -> Problem:
    return Problem(
        code="TLS-EXPIRED",
        what=f"The certificate of {subject} has expired.",
        why=f"It ended on {clock.stamp(not_after)}, {_days(now - not_after)} ago; every client refuses it.",
        do=renewal_steps(source),
        context={"not_after": clock.stamp(not_after)},
    )


def _not_yet_valid(subject: str, not_before: datetime) -> Problem:
    return Problem(
        code="TLS-NOT-YET-VALID",
        what=f"The certificate of {subject} is not valid yet.",
        why=f"It begins on {clock.stamp(not_before)}; or the clock of this machine is wrong.",
        do=("Check this machine's clock (`timedatectl`).", "Use a certificate that is valid now (deployment.ssl_cert_path)."),
        context={"not_before": clock.stamp(not_before)},
    )


def _expires_soon(subject: str, not_before: datetime, not_after: datetime, now: datetime, source: Source | None) -> Problem:
    return Problem(
        code="TLS-EXPIRES-SOON",
        what=f"The certificate of {subject} expires in {_days(not_after - now)}.",
        why=f"It ends on {clock.stamp(not_after)}, its renewal was due on {clock.stamp(renewal_begins(not_before, not_after))}.",
        do=renewal_steps(source),
        context={"not_after": clock.stamp(not_after), "days_left": str(days_left(not_after, now))},
    )


def _days(span: timedelta) -> str:
    days = span // _DAY
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"
