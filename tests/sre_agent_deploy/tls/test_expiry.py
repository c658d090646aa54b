"""Expiry is decided from dates alone, and reported in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.tls import expiry
from sre_agent_deploy.tls.expiry import Source

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SOURCES: tuple[Source, ...] = ("local_ca", "files", "letsencrypt")
SPANS = st.timedeltas(min_value=-timedelta(days=4000), max_value=timedelta(days=4000))


@pytest.mark.property(7)
@given(life=st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=4000)), left=SPANS)
def test_any_certificate_at_any_time(life: timedelta, left: timedelta) -> None:
    """**Feature: aws-ec2-production-deployment, Property 7: Certificate Monitoring**

    For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance before
    certificates expire.

    For any certificate there is a warning in its last 30 days (or the last third of a shorter life) and later, with how to renew
    it; there is none before.
    """
    not_after = NOW + left
    problem = expiry.judge_expiry("sre.example.com", not_after - life, not_after, NOW)
    if left <= timedelta(0):
        expected = "TLS-EXPIRED"
    elif left > life:
        expected = "TLS-NOT-YET-VALID"
    else:
        expected = "TLS-EXPIRES-SOON" if left <= min(expiry.RENEWAL, life / 3) else ""
    assert (problem.code if problem else "") == expected
    if problem:
        assert "sre.example.com" in problem.what
        assert problem.do


@pytest.mark.property(7)
@given(
    life=st.sampled_from((6, 45, 90, 365)).map(lambda days: timedelta(days=days)),
    source=st.sampled_from(SOURCES),
    minutes=st.integers(0, 1439),
)
def test_every_day_of_any_life(life: timedelta, source: Source, minutes: int) -> None:
    """**Feature: aws-ec2-production-deployment, Property 7: Certificate Monitoring**

    For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance before
    certificates expire.

    The clock moves on by six hours from its first day to two days after its end. It warns on no day before its first window, at least
    once on every day from then on, and of each window exactly once a day; each warning says how to renew one of this source.
    What a machine renews by itself is warned of once a third of the first window has passed without a renewal.
    """
    not_after, warned, seen = NOW + life, expiry.Warned(), []
    for quarter in range(4 * (life.days + 2)):
        now = NOW + timedelta(hours=6 * quarter, minutes=minutes)
        due, remembered = expiry.choose_warning("sha256", NOW, not_after, now, warned)
        if due:
            problem = expiry.judge_expiry("sre.example.com", NOW, not_after, now, source)
            if problem is None:
                assert source == "letsencrypt", "only a machine that renews by itself has time to do so"
                continue
            warned = remembered
            assert problem.do == expiry.renewal_steps(source)
            seen.append((now.date(), sum(now >= not_after - window for window in expiry.list_windows(NOW, not_after)), now >= not_after))
    assert len(seen) == len(set(seen))
    first = not_after - min(timedelta(days=30), life / 3) * (2 / 3 if source == "letsencrypt" else 1)
    days = {day for day, _, _ in seen}
    assert not [day for day in days if day < first.date()]
    assert {(first + timedelta(days=1 + number)).date() for number in range((not_after - first).days)} <= days
    assert {window for _, window, _ in seen} == {1, 2, 3}


def test_another_certificate_is_warned_of_at_once() -> None:
    """A recorded warning about one certificate does not suppress those about the next."""
    long_ago, end = NOW - timedelta(days=80), NOW + timedelta(days=10)
    due, warned = expiry.choose_warning("one", long_ago, end, NOW, expiry.Warned())
    again, warned = expiry.choose_warning("one", long_ago, end, NOW + timedelta(hours=1), warned)
    other, _ = expiry.choose_warning("two", long_ago, end, NOW + timedelta(hours=1), warned)
    assert (due, again, other) == (True, False, True)


@pytest.mark.property(7)
@given(
    life=st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=4000)),
    left=SPANS,
    wait=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)),
)
def test_time_only_makes_it_worse(life: timedelta, left: timedelta, wait: timedelta) -> None:
    """**Feature: aws-ec2-production-deployment, Property 7: Certificate Monitoring**

    For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance before
    certificates expire.

    A certificate that needs renewal never stops needing it by waiting, and a warning always comes before the end.
    """
    not_after = NOW + left
    not_before = not_after - life
    if expiry.needs_renewal(not_before, not_after, NOW) or NOW + wait >= not_after:
        assert expiry.needs_renewal(not_before, not_after, NOW + wait)
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
