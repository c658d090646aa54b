"""Decide from dates alone if a certificate is valid or needs renewal (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sre_core import clock
from sre_core.problem import Problem

RENEWAL = timedelta(days=30)
"""A certificate with less left than this is renewed, or its owner is warned."""


def days_left(not_after: datetime, now: datetime) -> int:
    """Count the whole days until it expires; negative after that."""
    return (not_after - now) // timedelta(days=1)


def needs_renewal(not_after: datetime, now: datetime) -> bool:
    """Say if it expires within the renewal window, or has expired."""
    return not_after - now <= RENEWAL


def judge_expiry(subject: str, not_before: datetime, not_after: datetime, now: datetime) -> Problem | None:
    """Report an expired, not yet valid or soon expiring certificate with its renewal; None while it is valid."""
    if now >= not_after:
        return _expired(subject, not_after, now)
    if now < not_before:
        return _not_yet_valid(subject, not_before)
    return _expires_soon(subject, not_after, now) if needs_renewal(not_after, now) else None


def _expired(subject: str, not_after: datetime, now: datetime) -> Problem:
    return Problem(
        code="TLS-EXPIRED",
        what=f"The certificate of {subject} has expired.",
        why=f"It ended on {clock.stamp(not_after)}, {_days(now - not_after)} ago; every client refuses it.",
        do=_renewal(),
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


def _expires_soon(subject: str, not_after: datetime, now: datetime) -> Problem:
    return Problem(
        code="TLS-EXPIRES-SOON",
        what=f"The certificate of {subject} expires in {_days(not_after - now)}.",
        why=f"It ends on {clock.stamp(not_after)}, and renewal is due {RENEWAL.days} days before.",
        do=_renewal(),
        context={"not_after": clock.stamp(not_after), "days_left": str(days_left(not_after, now))},
    )


def _renewal() -> tuple[str, ...]:
    return (
        "With files of your own: renew them (`sudo certbot renew`, or at your certificate authority) at "
        "deployment.ssl_cert_path and deployment.ssl_key_path.",
        "Run `sre-agent-deploy deploy`: it issues or stores the new certificate, and changes nothing else.",
    )


def _days(span: timedelta) -> str:
    days = span // timedelta(days=1)
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"
