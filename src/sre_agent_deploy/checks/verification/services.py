"""Check what is behind the front door: each service is healthy, the assistant investigates, and its hops to the others work.

Each hop is tried from where the assistant runs, when it is asked, and the first that does not work is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.verification import access
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Endpoints
from sre_core import release
from sre_core.hops import HOPS
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
    """Say with the report's own text that the language model gave no answer: the rules' answer is enough to pass, not to be silent."""
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


FROM_ASSISTANT = "assistant.hops"
HOP_WORKS = "works"


@dataclass(frozen=True)
class BrokenHop:
    """The first hop that does not work from there: its parts of the deployment, what was seen, and why."""

    hop: str
    parts: tuple[str, ...]
    what: str
    why: str

    @classmethod
    def parse(cls, given: Any) -> BrokenHop | None:
        """Read it as the assistant describes it; None if it is no such description."""
        if not isinstance(given, dict) or given.get("hop") not in HOPS or not isinstance(given.get("parts"), list):
            return None
        return cls(given["hop"], tuple(map(str, given["parts"])), str(given.get("what", "")), str(given.get("why", "")))


class HopsFromAssistant:
    """Every hop to the backends works from where the assistant runs, whose network, name servers and secret are its own."""

    id: ClassVar[str] = FROM_ASSISTANT
    proves: ClassVar[str] = "every hop works from where the assistant runs"
    requirements: ClassVar[tuple[str, ...]] = ("4.3", "5.3")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> ServiceAnswer | Problem:
        return ask_assistant(world, {"check": "connectivity"})

    def judge(self, facts: ServiceAnswer) -> Verdict:
        found = read_output(facts.answer).get("connectivity")
        if facts.answer.status == 200 and isinstance(found, dict):
            works = tuple(hop for hop in HOPS if hop in (found.get("works") or ()))
            broken = BrokenHop.parse(found.get("broken"))
        else:
            works, broken = (), _find_in_refusal(facts)
        values = dict.fromkeys(works, HOP_WORKS)
        if broken:
            what = f"from {facts.place}, hop {broken.hop} does not work"
            return Verdict(False, f"{what}: {broken.what}", _describe(broken, what, facts), values=values)
        if not works:
            return Verdict(False, f"the assistant answered {facts.answer.status}", no_report(facts))
        return Verdict(True, f"from {facts.place}, {len(works)} hops work", values=values)


def _find_in_refusal(facts: ServiceAnswer) -> BrokenHop | None:
    """Find the hop in the assistant's refusal: while it can't read the user pool's keys, it can check no caller."""
    document = facts.answer.json()
    error = document.get("error") if isinstance(document, dict) else None
    context = error.get("context") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(context, dict):
        return None
    return BrokenHop.parse({**error, "hop": context.get("hop"), "parts": ["login"]})


def _describe(broken: BrokenHop, what: str, facts: ServiceAnswer) -> Problem:
    steps = _ON_RUNTIME if facts.on_runtime else _ON_INSTANCE
    return Problem(
        code="ASSISTANT-HOP-BROKEN",
        what=f"{what[0].upper()}{what[1:]}: {broken.what}",
        why=broken.why,
        do=(
            steps.get(broken.hop) or _ANYWHERE[broken.hop],
            f"{facts.log_command} Then run `sre-agent-deploy verify` again.",
        ),
        context={"hop": broken.hop, "part": ", ".join(broken.parts)},
    )


_ON_INSTANCE: Mapping[str, str] = {
    "dns": "See if the VPC has enableDnsSupport, and which name servers its DHCP option set names (VPC > Your VPCs).",
    "tcp": "See if the subnet's route table has a route to 0.0.0.0/0, and if network ACL and security group let out port 443.",
    "tls": "Set the clock of the instance (`timedatectl`), and see if a proxy replaces certificates between the instance and AWS.",
    "http": "See if a proxy or firewall between the instance and AWS closes the connections.",
}
_ON_RUNTIME: Mapping[str, str] = {
    "dns": "See if the VPC of the runtime's subnets has enableDnsSupport, and which name servers its DHCP option set names.",
    "tcp": "See if each subnet of assistant.subnet_ids has a route to a NAT gateway, and if the security groups let out port 443.",
    "tls": "See if a proxy replaces certificates between the runtime's subnets and AWS.",
    "http": "See if a proxy or firewall between the runtime's subnets and AWS closes the connections.",
}
_ANYWHERE: Mapping[str, str] = {
    "token": "Run `sre-agent-deploy deploy`: it stores the secret of the gateway client again, and the assistant reads it again.",
    "gateway": "Run `sre-agent-deploy plan`: it shows if gateway, its allowed clients, or the assistant's settings differ.",
    "target": "Run `sre-agent-deploy deploy`: it repairs the targets. If it changes nothing, see their status reasons in the Console.",
    "backend": "See if the target's service is healthy (`sre-agent-deploy verify` names it), and if its API key is that of the provider.",
    "model": "For Bedrock, see what the account lacks: sre-agent-deploy validate --account",
}
