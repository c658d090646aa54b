"""Check that the traces of questions arrive: at the receiver of the programs, and in X-Ray where monitoring.traces is xray."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Endpoints
from sre_agent_deploy.checks.verification.services import ServiceAnswer, investigate
from sre_core import release
from sre_core.problem import Problem

# Programs send spans a second after they end, and give an attempt up after two.
_LOOKS, _PAUSE = 4, 3.0
# X-Ray shows a segment some seconds after it has accepted it.
_LOOKS_AT_XRAY = 12
_ASSISTANT = "sre-agent-assistant"


class TracesAccepted:
    """The receiver of monitoring.traces accepts the spans of a service that an investigation asked. A warning: nothing needs it."""

    id: ClassVar[str] = "traces.accepted"
    proves: ClassVar[str] = "the traces of questions are accepted by their receiver, if one is configured"
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


@dataclass(frozen=True)
class Trace:
    """X-Ray's data of one trace: the names of its segments. Where Transaction Search is on, X-Ray keeps none itself."""

    id: str
    names: tuple[str, ...] = ()
    searchable: bool = False

    @property
    def services(self) -> tuple[str, ...]:
        """Name the programs that took part, the assistant first."""
        return tuple(sorted({name for name in self.names if name.startswith("sre-agent-")}))


@dataclass(frozen=True)
class TraceReader:
    """Reads, from X-Ray, the one trace that the question of the checks is a part of."""

    aws: Aws
    trace_id: str = field(default_factory=lambda: f"{int(time.time()):08x}{secrets.token_hex(12)}")
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))

    def read(self) -> Trace | Problem:
        """Read what X-Ray has by now."""
        found = attempt(self._read, progress=self.aws.progress)
        return found.problem if isinstance(found, Lost) else found

    def _read(self) -> Trace:
        client, id = self.aws.client("xray"), f"1-{self.trace_id[:8]}-{self.trace_id[8:]}"
        # https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html: it finds nothing where Transaction Search is on.
        if client.get_trace_segment_destination().get("Destination") == "CloudWatchLogs":
            return Trace(id, searchable=True)
        documents = [json.loads(each["Document"]) for trace in _list_traces(client, id) for each in trace["Segments"]]
        return Trace(id, tuple(str(each["name"]) for each in documents))


def _list_traces(client: Any, id: str) -> Sequence[Mapping[str, Any]]:
    pages = client.get_paginator("batch_get_traces").paginate(TraceIds=[id])
    return [trace for page in pages for trace in page["Traces"]]


class TracesArrive:
    """The question of the checks is one trace in X-Ray, over the assistant and the services. A warning: nothing needs it."""

    id: ClassVar[str] = "traces.arrive"
    proves: ClassVar[str] = "a question is one trace in X-Ray, from the assistant to the services"
    requirements: ClassVar[tuple[str, ...]] = ("4.3",)
    required: ClassVar[bool] = False

    def probe(self, world: Endpoints) -> Trace | Problem:
        asked = investigate(world)
        if isinstance(asked, Problem):
            return asked
        assert world.traces is not None
        return _wait(world.traces.read)

    def judge(self, facts: Trace) -> Verdict:
        if facts.searchable:
            return Verdict(None, "Transaction Search keeps the spans, where this check does not look", _elsewhere(facts))
        if _is_whole(facts):
            return Verdict(True, f"X-Ray has trace {facts.id}: {len(facts.names)} segments of {', '.join(facts.services)}")
        seen = f"X-Ray has only {', '.join(facts.services)}" if facts.services else "X-Ray has nothing"
        return Verdict(False, f"{seen} of trace {facts.id}", _absent(facts))


def _wait(read: Callable[[], Trace | Problem]) -> Trace | Problem:
    """Look until the trace has its services and no look finds more. The assistant's own span ends last."""
    found: Trace | Problem = read()
    for _ in range(_LOOKS_AT_XRAY):
        if isinstance(found, Problem) or found.searchable:
            return found
        time.sleep(_PAUSE)
        before, found = found, read()
        if isinstance(found, Trace) and _is_whole(found) and found == before:
            return found
    return found


def _is_whole(trace: Trace) -> bool:
    return _ASSISTANT in trace.services and len(trace.services) > 1


def _elsewhere(facts: Trace) -> Problem:
    return Problem(
        code="TRACES-NOT-SEEN",
        what=f"It is not known whether trace {facts.id} has arrived.",
        why="Transaction Search is on in this account: X-Ray passes spans on to the log group aws/spans and keeps them by sampling only.",
        do=(f"Look yourself: CloudWatch > Transaction Search, trace id {facts.id}.",),
        aws_docs="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Transaction-Search.html",
    )


def _absent(facts: Trace) -> Problem:
    return Problem(
        code="TRACES-NOT-ARRIVED",
        what=f"X-Ray does not have the trace {facts.id}, which this verification has caused.",
        why="The agent of the instance does not run, or its role may not write to X-Ray; seldom X-Ray is late.",
        do=(
            "Run `sre-agent-deploy deploy`, which repairs the role.",
            "Then `sre-agent-deploy exec tail /opt/aws/amazon-cloudwatch-agent/logs/amazon-cloudwatch-agent.log`: it names each refusal.",
            "Then run `sre-agent-deploy verify` again.",
        ),
        aws_docs="https://docs.aws.amazon.com/xray/latest/devguide/security_iam_troubleshoot.html",
    )


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
