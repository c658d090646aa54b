"""The nearest known name is found for a misspelled one."""

from __future__ import annotations

import pytest

from sre_core.nearest import find_nearest

REGIONS = ("eu-central-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2")


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("us-est-1", "us-east-1"),  # us-west-1 is as near, and comes later
        ("us-wst-2", "us-west-2"),
        ("us-eats-2", "us-east-2"),
        ("US_EAST_1", "us-east-1"),
        ("eu-cent", "eu-central-1"),
        ("mars", None),
    ],
)
def test_the_nearest(text: str, nearest: str | None) -> None:
    """It is the one spelled most alike, of several the first."""
    assert find_nearest(text, REGIONS) == nearest
