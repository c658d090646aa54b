"""Check that what receives the traces of a deployment accepts them."""

from __future__ import annotations

import time
from typing import ClassVar

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Endpoints
from sre_agent_deploy.checks.verification.services import ServiceAnswer, investigate
from sre_core import release
from sre_core.problem import Problem

# Programs send spans a second after they end, and give an attempt up after two.
_LOOKS, _PAUSE = 4, 3.0


class TracesAccepted:
    """The receiver of monitoring.traces accepts the spans of a service that an investigation asked. A warning: nothing needs it."""

    id: ClassVar[str] = "traces.accepted"
    proves: ClassVar[str] = "the traces of questions arrive at their receiver, if one is configured"
    requirements: ClassVar[tuple[str, ...]] = ("4.3",)
    required: ClassVar[bool] = False

    def probe(self, world: Endpoints) -> ServiceAnswer | Problem:
        asked, service = investigate(world), release.backends()[0]
        if isinstance(asked, Problem):
            return asked
        for _ in range(_LOOKS):
            time.sleep(_PAUSE)
            answer = world.http("GET", world.base_url + service.route.rstrip("/") + service.health_path)
            if isinstance(answer, Problem) or _read_state(answer):
                break
        return answer if isinstance(answer, Problem) else ServiceAnswer(answer, world.log_command(service.name))

    def judge(self, facts: ServiceAnswer) -> Verdict:
        state = _read_state(facts.answer)
        if state == "ok":
            return Verdict(True, "the receiver of monitoring.traces accepts the spans of the services")
        refused = state == "failed"
        return Verdict(False if refused else None, "the spans were not accepted" if refused else "no span was sent", _lost(facts, refused))


def _read_state(answer: Answer) -> str:
    document = answer.json()
    return str(document.get("traces", "")) if isinstance(document, dict) else ""


def _lost(facts: ServiceAnswer, refused: bool) -> Problem:
    return Problem(
        code="TRACES-NOT-ACCEPTED",
        what="The traces of this deployment do not arrive.",
        why="Their receiver does not answer, or refuses them."
        if refused
        else "The services have sent none: they may run without the library.",
        do=(
            f"{facts.log_command} It names the address and the error.",
            "Correct monitoring.traces, or let the receiver accept OTLP over HTTP (protobuf) from the instance without a key.",
            "With xray: `sre-agent-deploy exec systemctl status amazon-cloudwatch-agent`.",
            "Then run `sre-agent-deploy deploy`.",
        ),
    )
