"""IAM's decisions, by its documentation: a table that is also put to another implementation (`make scan`)."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from scripts.scan.policy_cases import Case, make_case
from scripts.scan.second_opinion import SEED, decide, read_rows

ROWS = list(read_rows())


@pytest.mark.parametrize(("case", "row"), [pytest.param(case, row, id=name) for name, case, row in ROWS])
def test_what_iam_decides(case: Case, row: Mapping[str, Any]) -> None:
    """The local AWS decides as IAM's documentation says."""
    assert decide(case) == row["expected"], row["source"]


def test_made_up_policies() -> None:
    """The generated policies of `make scan` are useful: each decision is among the answers, and each kind of policy decides some."""
    random = Random(SEED)
    decided = [(case, decide(case)) for case in (make_case(random) for _ in range(400))]

    assert {answer for _, answer in decided} == {"Allowed", "ImplicitlyDenied", "ExplicitlyDenied"}
    assert any(case.boundary and case.resource_policy and answer == "Allowed" for case, answer in decided)
