"""The usage of every question is recorded, in case of a failure too, and without its text."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import Authority
from agent_issuer import Issuer
from test_pool import assistant

from sre_agent.pool import Busy, Pool
from sre_agent.report import Report
from sre_agent.request import Request
from sre_agent.usage import UsageLog
from sre_core.problem import Problem, Refused

REFUSED = Refused(Problem(code="GATEWAY-UNUSABLE", what="No gateway", why="It is down.", do=("Wait.",)))


@pytest.mark.parametrize(("error", "outcome"), [(Busy(), "busy"), (REFUSED, "failed"), (asyncio.CancelledError(), "cancelled")])
def test_a_question_without_an_answer(tmp_path: Path, error: BaseException, outcome: str) -> None:
    """It is counted, with how many waited before it, and the error goes on its way."""
    file = tmp_path / "usage.log"
    with pytest.raises(type(error)), UsageLog(file).record(waiting=4):
        raise error
    [line] = map(json.loads, file.read_text().splitlines())
    assert (line["outcome"], line["waiting"], line["calls"]) == (outcome, 4, 0)
    assert line["seconds"] >= 0


def test_a_log_that_can_not_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The answer does not depend on it; the service's log says so."""
    with UsageLog(tmp_path / "absent" / "usage.log").record(waiting=0):
        pass
    assert "usage.not_written" in capfd.readouterr().err


def test_no_word_of_a_question(tmp_path: Path, gateway: Gateway, authority: Authority, issuer: Issuer) -> None:
    """Neither the question, nor the subject that was found, nor a secret in it is in the line."""
    _, gateway.backend = tools_and_backend("crash-loop")
    asked = assistant(gateway, authority, issuer, Pool(), UsageLog(tmp_path / "usage.log"))

    async def run() -> Report:
        try:
            return await asked.answer(Request(prompt="Why does payment fail with password=hunter2?"))
        finally:
            await asked.close()

    report = asyncio.run(run())
    text = (tmp_path / "usage.log").read_text()
    assert report.investigation_id in text
    assert not [word for word in ("payment", "hunter2", "password", "shop") if word in text]
