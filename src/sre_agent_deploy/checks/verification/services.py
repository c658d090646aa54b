"""Check that each service is healthy over verified TLS, and that the assistant completes an investigation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.verification import access
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Endpoints
from sre_core import release
from sre_core.problem import Problem


@dataclass(frozen=True)
class ServiceAnswer:
    """The answer of a service, how to read its log, and where it runs."""

    answer: Answer
    log_command: str
    on_runtime: bool = False

    @property
    def place(self) -> str:
        """Name where it runs."""
        return "AgentCore Runtime" if self.on_runtime else "the instance"


@dataclass(frozen=True)
class ServiceHealthy:
    """The health path of one service answers 200 through the front door, with a valid certificate."""

    service: release.Service

    requirements: ClassVar[tuple[str, ...]] = ("1.2", "1.3", "2.1", "4.3")
    required: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return f"service.{self.service.name}"

    @property
    def proves(self) -> str:
        return f"{self.service.name} is healthy over HTTPS"

    def probe(self, world: Endpoints) -> ServiceAnswer | Problem:
        answer = world.http("GET", world.base_url + self.service.route.rstrip("/") + self.service.health_path)
        return answer if isinstance(answer, Problem) else ServiceAnswer(answer, world.log_command(self.service.name))

    def judge(self, facts: ServiceAnswer) -> Verdict:
        if facts.answer.status == 200:
            unread = _find_unread_sources(facts.answer)
            if not unread:
                return Verdict(True, f"{self.service.name} is healthy over HTTPS")
            return Verdict(False, f"{self.service.name} can't read {', '.join(unread)}", self._no_source(facts, unread))
        return Verdict(False, f"{self.service.name} answered {facts.answer.status}", self._unhealthy(facts))

    def _no_source(self, facts: ServiceAnswer, unread: Mapping[str, Mapping[str, str]]) -> Problem:
        codes = dict.fromkeys(source.get("code", "SERVICE-SOURCE-UNREADABLE") for source in unread.values())
        return Problem(
            code="SERVICE-SOURCE-UNREADABLE",
            what=f"The {self.service.name} service can't read these systems from which it answers: {', '.join(unread)}.",
            why=" ".join(_describe_unread(name, source) for name, source in unread.items()),
            do=(
                *(f"See what it means: sre-agent-deploy explain {code}" for code in codes),
                f"{facts.log_command} It names the address.",
                f"Correct services.{self.service.name} in config.yaml and deploy again,"
                " or correct the system itself and run `sre-agent-deploy verify`.",
            ),
        )

    def _unhealthy(self, facts: ServiceAnswer) -> Problem:
        return Problem(
            code="SERVICE-UNHEALTHY",
            what=f"The {self.service.name} service answered {facts.answer.status} at its health path.",
            why=facts.answer.body[:300].decode(errors="replace") or "The answer was empty.",
            do=(facts.log_command, "Correct what it reports, then run `sre-agent-deploy verify` again."),
        )


def _describe_unread(name: str, source: Mapping[str, str]) -> str:
    permission = f" It lacks the permission: {source['permission']}." if "permission" in source else ""
    return f"Of {name} it reports {source.get('code', 'no reason')}.{permission}"


def _find_unread_sources(answer: Answer) -> dict[str, Mapping[str, str]]:
    """Find what a healthy service says of the sources that it can't read, by name."""
    document = answer.json()
    if not isinstance(document, dict) or document.get("status") != "degraded":
        return {}
    sources = document.get("sources")
    if not isinstance(sources, dict):
        return {"a source": {}}
    return {name: state for name, state in sources.items() if isinstance(state, dict) and state.get("status") != "ok"}


def health_checks(*, on_runtime: bool) -> tuple[ServiceHealthy, ...]:
    """List a check for each service that runs on the instance. AgentCore Runtime shows no health path of the assistant."""
    return tuple(map(ServiceHealthy, release.backends() if on_runtime else release.services()))


# An investigation makes dozens of calls, and AgentCore Runtime may have to start a machine for it first.
_LONGER_THAN_OTHERS = 4
PROMPT = "Is anything wrong right now? Investigate and cite your evidence."


class InvestigationAnswers:
    """The assistant answers a question with a report that cites evidence. Its conclusions are not checked here."""

    id: ClassVar[str] = "assistant.investigation"
    proves: ClassVar[str] = "an investigation runs end to end"
    requirements: ClassVar[tuple[str, ...]] = ("1.4", "4.3")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> ServiceAnswer | Problem:
        return investigate(world)

    def judge(self, facts: ServiceAnswer) -> Verdict:
        output = read_output(facts.answer)
        report = _read_report(facts.answer)
        if facts.answer.status == 200 and output.get("message") and _has_evidence(report):
            evidence = f"the assistant investigated with {len(report['evidence'])} pieces of evidence"
            seen = (evidence, *_notes_on_session(output), *_notes_on_model(report))
            return Verdict(True, "; ".join(seen))
        return Verdict(False, f"the assistant answered {facts.answer.status}", no_report(facts))


class ModelAnswers:
    """The language model that the configuration names answers. A warning: the rules answer without it."""

    id: ClassVar[str] = "assistant.model"
    proves: ClassVar[str] = "the language model answers, if one is configured"
    requirements: ClassVar[tuple[str, ...]] = ("1.4", "4.2")
    required: ClassVar[bool] = False

    def probe(self, world: Endpoints) -> ServiceAnswer | Problem:
        return investigate(world)

    def judge(self, facts: ServiceAnswer) -> Verdict:
        report = _read_report(facts.answer)
        if facts.answer.status != 200 or not _has_evidence(report):
            return Verdict(None, "the assistant gave no report", no_report(facts))
        if notes := _notes_on_model(report):
            return Verdict(False, notes[0], _no_model(notes[0], facts))
        return Verdict(True, "the language model answered" if report.get("model") else "no model is configured: the rules answer")


def investigate(world: Endpoints) -> ServiceAnswer | Problem:
    """Let the assistant investigate, once for all checks."""
    question = {"prompt": PROMPT, "session_id": "verification-of-the-deployment-000000", "user_id": "sre-agent-deploy"}
    return world.ask_once("investigation", lambda: ask_assistant(world, question))


def ask_assistant(world: Endpoints, question: Mapping[str, str]) -> ServiceAnswer | Problem:
    """Ask the assistant with a caller's token, and wait longer than for others."""
    token = access.request_token(world, world.caller_client)
    if isinstance(token, Problem):
        return token
    headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json", **world.trace_headers}
    patient = replace(world, timeout=world.timeout * _LONGER_THAN_OTHERS)
    answer = patient.http("POST", world.invocations_url, headers=headers, body=json.dumps({"input": question}).encode())
    return answer if isinstance(answer, Problem) else ServiceAnswer(answer, world.log_command("assistant"), bool(world.runtime_url))


def read_output(answer: Answer) -> dict[str, Any]:
    document = answer.json()
    output = document.get("output") if isinstance(document, dict) else None
    return output if isinstance(output, dict) else {}


def _read_report(answer: Answer) -> dict[str, Any]:
    report = read_output(answer).get("report")
    return report if isinstance(report, dict) else {}


def _has_evidence(report: Mapping[str, Any]) -> bool:
    return isinstance(report.get("evidence"), list) and bool(report["evidence"])


def _notes_on_session(output: Mapping[str, Any]) -> tuple[str, ...]:
    """Say if the assistant has kept the question in its session; nothing for a release that keeps none."""
    kept = (output.get("session") or {}).get("kept")
    return () if kept is None else ("it keeps sessions",) if kept else ("it kept no session",)


def _notes_on_model(report: Mapping[str, Any]) -> list[str]:
    """Say that the language model gave no answer, in the report's words: the rules' answer is enough to pass, not to be silent."""
    return [note for note in report.get("notes") or () if isinstance(note, str) and note.startswith("The language model")]


def no_report(facts: ServiceAnswer) -> Problem:
    """Explain an answer of the assistant that is not what was asked for."""
    return Problem(
        code="ASSISTANT-NO-ANSWER",
        what=f"The assistant answered {facts.answer.status} without a report that cites evidence.",
        why=facts.answer.body[:300].decode(errors="replace") or "The answer was empty.",
        do=(facts.log_command, "Correct what it reports, then run `sre-agent-deploy verify` again."),
    )


def _no_model(note: str, facts: ServiceAnswer) -> Problem:
    return Problem(
        code="MODEL-NO-ANSWER",
        what=f"From {facts.place}, hop model does not work: the rules answered without the language model.",
        why=note,
        do=(
            "For Bedrock, see what the account lacks: sre-agent-deploy validate --account",
            "If access is refused and the account lacks nothing, run `sre-agent-deploy deploy`: it repairs the role's policy.",
            f"For another provider, check its key and its address. {facts.log_command}",
            "Then run `sre-agent-deploy verify` again.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html",
    )
