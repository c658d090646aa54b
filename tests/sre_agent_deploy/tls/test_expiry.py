"""Expiry: decided from dates alone, and said in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.tls import expiry

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SPANS = st.timedeltas(min_value=-timedelta(days=4000), max_value=timedelta(days=4000))


@pytest.mark.property(7)
@given(life=st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=4000)), left=SPANS)
def test_any_certificate_at_any_time(life: timedelta, left: timedelta) -> None:
    """**Feature: aws-ec2-production-deployment, Property 7: Certificate Monitoring**

    For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance before
    certificates expire.

    For any certificate, whoever looks in its last 30 days or later is told, with how to renew it; nobody is told before.
    """
    not_after = NOW + left
    problem = expiry.judge_expiry("sre.example.com", not_after - life, not_after, NOW)
    if left <= timedelta(0):
        expected = "TLS-EXPIRED"
    elif left > life:
        expected = "TLS-NOT-YET-VALID"
    else:
        expected = "TLS-EXPIRES-SOON" if left <= expiry.RENEWAL else ""
    assert (problem.code if problem else "") == expected
    if problem:
        assert "sre.example.com" in problem.what
        assert problem.do


@pytest.mark.property(7)
@given(left=SPANS, wait=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_time_only_makes_it_worse(left: timedelta, wait: timedelta) -> None:
    """**Feature: aws-ec2-production-deployment, Property 7: Certificate Monitoring**

    For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance before
    certificates expire.

    A certificate that needs renewal never stops needing it by waiting, and a warning always comes before the end.
    """
    not_after = NOW + left
    if expiry.needs_renewal(not_after, NOW):
        assert expiry.needs_renewal(not_after, NOW + wait)
    if NOW + wait >= not_after:
        assert expiry.needs_renewal(not_after, NOW + wait)
    assert expiry.days_left(not_after, NOW + wait) <= expiry.days_left(not_after, NOW)


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=30), 30),
        (timedelta(days=1, hours=23), 1),
        (timedelta(seconds=1), 0),
        (timedelta(0), 0),
        (-timedelta(seconds=1), -1),
    ],
)
def test_days_that_are_left(left: timedelta, days: int) -> None:
    """Whole days; a certificate that has ended has less than none."""
    assert expiry.days_left(NOW + left, NOW) == days


@pytest.mark.parametrize(
    ("left", "words"), [(timedelta(hours=3), "less than a day"), (timedelta(days=1), "1 day."), (timedelta(days=29), "29 days")]
)
def test_a_warning_in_words(left: timedelta, words: str) -> None:
    """It says how much time there is."""
    problem = expiry.judge_expiry("sre.example.com", NOW - timedelta(days=60), NOW + left, NOW)
    assert problem is not None
    assert words in problem.what
