"""Check each hop from where the assistant runs: it tries them when it is asked, and names the first that does not work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.checks.verification.services import ServiceAnswer, ask_assistant, no_report, read_output
from sre_core.hops import HOPS
from sre_core.problem import Problem

CHECK = "assistant.hops"
WORKS = "works"


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

    id: ClassVar[str] = CHECK
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
        values = dict.fromkeys(works, WORKS)
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
