"""A caller whose credentials AWS refuses gets the reason before anything is created."""

from __future__ import annotations

import pytest

from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.account import CredentialsFacts, CredentialsHold
from sre_agent_deploy.config.models import Config
from sre_core import clock
from sre_core.problem import Problem

from ..aws.refusing import refusing
from ..aws.table import Row


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Row("GetCallerIdentity", "InvalidClientTokenId", 403), "AWS-CREDENTIALS"),
        (Row("GetCallerIdentity", "RequestTimeTooSkewed", 403), "AWS-CLOCK-WRONG"),
        (Row("GetCallerIdentity", "OptInRequired", 403), "AWS-ACCOUNT-NOT-READY"),
    ],
)
def test_an_answer_is_a_fact(row: Row, code: str) -> None:
    """Unknown credentials, a wrong clock or an account that is not ready fail the check: AWS was asked, and has answered."""
    with refusing() as nobody:
        nobody.with_("sts", row)
        seen = CredentialsHold().probe(Context(Config.model_validate({"mode": "local"}), nobody.aws, clock.now()))
    assert isinstance(seen, CredentialsFacts)
    verdict = CredentialsHold().judge(seen)
    assert not verdict.holds
    assert isinstance(verdict.problem, Problem)
    assert verdict.problem.code == code
