"""Verification judges the assistant's answer to its question."""

from __future__ import annotations

import json
from typing import Any

from sre_agent_deploy.checks.verification.endpoint_client import Answer
from sre_agent_deploy.checks.verification.services import InvestigationAnswers, ServiceAnswer

SILENT = "The language model (openai: llama3) gave no usable answer: its provider can't be reached. This is the answer of the rules."


def judge(status: int, report: dict[str, Any], **output: Any) -> tuple[bool, str]:
    body = json.dumps({"output": {"message": "found", "report": report, **output}}).encode()
    verdict = InvestigationAnswers().judge(ServiceAnswer(Answer(status, body, {}), "sre-agent-deploy logs assistant"))
    return verdict.holds is True, verdict.what


def test_an_answer_with_evidence() -> None:
    """It passes, and a language model that gave no answer is reported as well."""
    assert judge(200, {"evidence": [{}, {}], "notes": ["Not seen: x"]}) == (True, "the assistant investigated with 2 pieces of evidence")
    passed, detail = judge(200, {"evidence": [{}], "notes": [SILENT]})
    assert (passed, detail.endswith(SILENT)) == (True, True)
    kept = [judge(200, {"evidence": [{}]}, session={"id": "s", "kept": kept})[1] for kept in (True, False)]
    assert [detail.rpartition("; ")[2] for detail in kept] == ["it keeps sessions", "it kept no session"]


def test_an_answer_without_evidence() -> None:
    """It does not pass with any status."""
    assert [judge(status, report)[0] for status, report in ((200, {}), (200, {"evidence": []}), (500, {"evidence": [{}]}))] == [False] * 3
