"""S3's naming rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.config.gateway import bucket_faults, correct_bucket_name


@given(st.text(max_size=80))
def test_a_correction_breaks_no_rule(name: str) -> None:
    """For any input S3 accepts the proposed name without a warning."""
    assert not list(bucket_faults("s3_bucket", correct_bucket_name(name)))


@pytest.mark.parametrize("name", ["sre-specs", "a1b", "x" * 63, "123456789012-specs"])
def test_names_that_s3_accepts(name: str) -> None:
    """Nothing is said about them."""
    assert not list(bucket_faults("s3_bucket", name))


@pytest.mark.parametrize("name", ["ab", "x" * 64, "A-b", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "xn--a", "a-s3alias", "s3://abc", "a\nb"])
def test_names_that_s3_refuses(name: str) -> None:
    """An error, with a correction."""
    (fault,) = bucket_faults("s3_bucket", name)
    assert not fault.warning
    assert fault.correction
