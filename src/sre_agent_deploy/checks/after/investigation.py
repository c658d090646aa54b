"""One investigation, end to end: the question over HTTPS, the tools through the gateway, an answer that cites evidence."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from sre_agent_deploy.checks.after import tokens
from sre_agent_deploy.checks.after.deployed import Answer, Deployed
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem

PROMPT = "Is anything wrong right now? Investigate and cite your evidence."


class InvestigationAnswers:
    """The assistant answers a caller's question with a report; what the report concludes is not this check's business."""

    id: ClassVar[str] = "assistant.investigation"
    proves: ClassVar[str] = "an investigation runs end to end"
    requirements: ClassVar[tuple[str, ...]] = ("1.4", "4.3")
    required: ClassVar[bool] = True

    def probe(self, world: Deployed) -> Answer | Problem:
        token = tokens.issued(world, world.caller_client)
        if isinstance(token, Problem):
            return token
        headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
        body = json.dumps(
            {"input": {"prompt": PROMPT, "session_id": "verification-of-the-deployment-000000", "user_id": "sre-agent-deploy"}}
        )
        return world.http("POST", f"{world.base_url}/invocations", headers=headers, body=body.encode())

    def judge(self, facts: Answer) -> Verdict:
        document: Any = facts.json()
        output = document.get("output", {}) if isinstance(document, dict) else {}
        if facts.status == 200 and output.get("message") and _looked(output.get("report", {})):
            return Verdict(True, f"the assistant investigated with {len(output['report']['evidence'])} pieces of evidence")
        return Verdict(False, f"the assistant answered {facts.status}", _unanswered(facts))


def _looked(report: Any) -> bool:
    return isinstance(report, dict) and bool(report.get("evidence"))


def _unanswered(facts: Answer) -> Problem:
    return Problem(
        code="ASSISTANT-NO-ANSWER",
        what=f"The assistant answered {facts.status} and no report that rests on evidence.",
        why=facts.body[:300].decode(errors="replace") or "The answer was empty.",
        do=("Read its log on the instance: `journalctl -u sre-agent-assistant`.", "Run `sre-agent-deploy verify` again."),
    )
