"""The switch of an update from one machine to another: verified before it, measured during it, and drained after it.

With a hosted zone each machine has an address, and the DNS record changes: clients of the old one have twice the record's TTL to leave.
Without one the Elastic IP moves, which ends the connections that are open at that moment, as AWS does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.agentcore import ENDPOINT
from sre_agent_deploy.apply import OPEN, Gate, Outcome, apply, delete_unwanted, list_unwanted
from sre_agent_deploy.checks import Check, Finding, run_checks
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_agent_deploy.checks.verification.front_door import AnswersOverIpv6
from sre_agent_deploy.checks.verification.services import InvestigationAnswers, health_checks
from sre_agent_deploy.commands.certs import find_order
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.verify import find_private_ca
from sre_agent_deploy.commands.workspace import Workspace, watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.connection import build_endpoints
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Result
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.names import moves_by_name
from sre_agent_deploy.plan import Action, Plan
from sre_agent_deploy.progress import NEVER, Observer, Stop, run_interrupted
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core.problem import Problem
from sre_core.secret import Secret

_NOBODY = Client("", Secret(""), "")
# Anything else is an answer, and its bootstrap has waited for its services already.
_NO_ANSWER_YET = frozenset({"ENDPOINT-UNREACHABLE", "ENDPOINT-SILENT"})
_NO_ADDRESS: Outputs = {"https_authority": "", "public_ip": ""}
_LONGEST = timedelta(minutes=1)
_PAUSE = 0.05
_LONGEST_PROBE = 2.0


@dataclass
class Switch:
    """One switch. It happens when the plan changes which machine the address or the DNS record names."""

    config: Config
    account: Account
    plan: Plan
    _began: float = field(default_factory=time.monotonic)
    _meter: GapMeter | None = None

    def gates(self) -> Mapping[str, Gate]:
        """Let nothing lead to a machine that was not verified. Nothing served before a first deployment, so it has no gate."""
        name = "dns_record" if moves_by_name(self.config) else "address_association"
        gates = {name: self._open_gate, ENDPOINT: self._open_runtime_gate}
        moved = {change.name for change in self.plan.changes if change.action is Action.UPDATE}
        return {name: gate for name, gate in gates.items() if name in moved} or OPEN

    def end(self) -> str:
        """Say how long the address did not answer; empty if it did not move."""
        self._began = time.monotonic()
        if self._meter is None:
            return ""
        gap, failed = self._meter.stop()
        lost = f"{failed} new connection{'s' if failed != 1 else ''} failed, within {gap:.1f} s" if failed else "no new connection failed"
        return f"The address moved to the new machine: {lost}. What was connected at that moment was cut off, as AWS does."

    def drain(self) -> Problem | None:
        """Wait until no resolver names the address of a machine that is about to be deleted."""
        deletes = any(change.kind == Ec2Instance.KIND and change.action in (Action.REPLACE, Action.DELETE) for change in self.plan.changes)
        progress = self.account.aws.progress
        if not deletes or not moves_by_name(self.config):
            return None
        left = 2 * find_longest_ttl(self.plan, self.config.deployment.dns_ttl) - (time.monotonic() - self._began)
        for _ in progress.poll("gone", "clients to leave the machine before", timedelta(seconds=max(left, 0))):
            if progress.stop.requested:
                break
        return run_interrupted() if progress.stop.requested else None

    def _open_gate(self, outputs: Mapping[str, Outputs]) -> Problem | None:
        if find_order(self.config, self.account.aws, self.plan.deployment, outputs):
            # No client can trust what serves now either, and an authority finds the new machine by the address only.
            return None
        own = self._find_own_endpoints(outputs)
        problem = own if isinstance(own, Problem) else self._verify(own)
        if not problem and not moves_by_name(self.config):
            self._meter = GapMeter(self._find_endpoints(outputs))
            self._meter.start()
        return problem

    def _verify(self, own: Endpoints) -> Problem | None:
        """Verify the machine at its own address, for a while: an address that was just associated answers a little later."""
        progress, failed = self.account.aws.progress, list[Finding]()
        for poll in progress.poll("ready", f"the new machine to answer at {own.public_ip}", min(progress.limits.ready, _LONGEST)):
            failed = [each for each in run_checks(self._checks(own), own) if each.required and each.status != "passed"]
            if not any(each.problem and each.problem.code in self._soon() for each in failed):
                break
            poll.status = failed[0].what
        return progress.interrupted_or(_not_verified(own, failed)) if failed else None

    def _checks(self, own: Endpoints) -> Sequence[Check[Endpoints, Any]]:
        ipv6 = (AnswersOverIpv6(named=False),) if own.ipv6_address else ()
        return (*health_checks(on_runtime=self.config.assistant.on_runtime), *ipv6)

    def _open_runtime_gate(self, outputs: Mapping[str, Outputs]) -> Problem | None:
        """Let the new version of the runtime investigate, at the endpoint DEFAULT: callers still reach the version before."""
        runtime = outputs["runtime"]
        if self._returns_to_older(str(runtime["version"])):
            return None
        found = build_endpoints({**outputs, "address": _NO_ADDRESS}, self.account, domain="", private_ca=find_private_ca(self.config))
        own = replace(found, runtime_url=str(runtime["default_url"]))
        [finding] = run_checks((InvestigationAnswers(),), own)
        return None if finding.status == "passed" else _version_not_verified(str(runtime["version"]), finding)

    def _returns_to_older(self, latest: str) -> bool:
        """Say if the endpoint goes back to a version that served before: no other endpoint leads there, and it was verified then."""
        versions = [entry.wanted for entry in self.plan.change(ENDPOINT).differences if entry.field == "version"]
        return bool(versions) and versions[0].isdecimal() and versions[0] != latest

    def _soon(self) -> frozenset[str]:
        """List what a new machine may say for a moment. One that orders its certificate takes what was ordered within half a minute."""
        return _NO_ANSWER_YET | ({"ENDPOINT-TLS"} if self.config.tls.source == "letsencrypt" else frozenset())

    def _find_own_endpoints(self, outputs: Mapping[str, Outputs]) -> Endpoints | Problem:
        """Find the address of the new machine alone; the certificate must name the host that users know all the same."""
        if moves_by_name(self.config):
            return self._find_endpoints(outputs)
        machine = outputs["instance"]
        # The machines of an AWS that is not Amazon's run here, so their private addresses can be reached.
        public = f"https://{machine['public_ip']}" if machine.get("public_ip") else ""
        url = str(machine.get("private_url", "")) if self.account.aws.endpoint else public
        if not url:
            return _no_address(str(machine["instance_id"]))
        everybody, at = self._find_endpoints(outputs), urlsplit(url)
        host = urlsplit(everybody.base_url).hostname
        return replace(everybody, base_url=f"https://{host}:{at.port or 443}", public_ip=at.hostname or "")

    def _find_endpoints(self, outputs: Mapping[str, Outputs]) -> Endpoints:
        """Find the deployment as its users reach it, as far as no client is needed."""
        address, domain = outputs["address"], self.config.deployment.domain_name
        authority = f"{domain}{address['https_suffix']}" if domain else address["https_authority"]
        trusted = (*find_private_ca(self.config), *self.account.ca_files())
        found = Endpoints(f"https://{authority}", str(address["public_ip"]), "", "", _NOBODY, _NOBODY, ca_files=trusted)
        ipv6 = str(outputs["instance"].get("ipv6_address", "")) if self.config.aws.ipv6 else ""
        return replace(found, ipv6_address=ipv6, public_names=not self.account.aws.endpoint)


def find_longest_ttl(plan: Plan, ttl: int) -> int:
    """Return for how many seconds a resolver may keep the record: it may have fetched it with the TTL that the plan replaces (pure)."""
    record = (change for change in plan.changes if change.name == "dns_record")
    return max([ttl, *(int(entry.seen) for change in record for entry in change.differences if entry.field == "ttl")])


def switch_over(here: Workspace, wanted: Blueprint, plan: Plan, journal: Journal, user: User, *, result: Result) -> tuple[Outcome, Switch]:
    """Apply a plan without its deletions, and say what a switch to another machine has cost."""
    with watch(here.account, user) as account:
        progress, switch = account.aws.progress, Switch(here.config, account, plan)
        outcome = apply_plan(
            account, wanted, plan, journal, progress.observe, stop=progress.stop, result=result, gates=switch.gates(), delete=False
        )
        gap = switch.end()
    if gap:
        user.note(gap)
    return outcome, switch


def apply_plan(
    account: Account,
    wanted: Blueprint,
    plan: Plan,
    journal: Journal,
    observe: Observer,
    *,
    stop: Stop = NEVER,
    result: Result = "applied",
    gates: Mapping[str, Gate] = OPEN,
    delete: bool = True,
) -> Outcome:
    """Apply a plan and record how it ended: with `result`, if nothing failed."""
    outcome = apply(account.aws, wanted, plan, journal, observe, stop=stop, gates=gates, delete=delete)
    journal.end_run("interrupted" if outcome.stopped else "failed" if outcome.problems else result)
    return outcome


def retire(wanted: Blueprint, journal: Journal, user: User, switch: Switch) -> tuple[Problem, ...]:
    """Delete what a plan has replaced, when no client uses it any more."""
    if not list_unwanted(switch.plan, wanted):
        return ()
    with watch(switch.account, user) as account:
        progress = account.aws.progress
        if interrupted := replace(switch, account=account).drain():
            return (interrupted,)
        return delete_unwanted(account.aws, wanted, switch.plan, journal, progress.observe, stop=progress.stop).problems


class GapMeter(threading.Thread):
    """Asks an address again and again, with a new connection each time, and measures for how long it does not answer."""

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__(name="gap", daemon=True)
        self._endpoints = replace(endpoints, timeout=_LONGEST_PROBE)
        self._ending = threading.Event()
        self._failed, self._gap = 0, 0.0

    def run(self) -> None:
        answered = time.monotonic()
        while not self._ending.wait(_PAUSE):
            if isinstance(self._endpoints.http("GET", f"{self._endpoints.base_url}/ping"), Answer):
                answered = time.monotonic()
            else:
                self._failed += 1
                self._gap = max(self._gap, time.monotonic() - answered)

    def stop(self) -> tuple[float, int]:
        """Return the longest time without an answer, and how many connections failed."""
        self._ending.set()
        self.join()
        return self._gap, self._failed


def _not_verified(own: Endpoints, failed: list[Finding]) -> Problem:
    first = failed[0].problem
    return Problem(
        code="UPDATE-NOT-VERIFIED",
        what=f"The new machine was not verified at its own address {own.public_ip}, so it did not take over.",
        why=f"{first.what} {first.why}" if first else failed[0].what,
        do=(
            "Correct what it names, then run `sre-agent-deploy resume`. Until then the previous machine serves, unchanged.",
            "To delete the new machine instead: `sre-agent-deploy resume --on-failure rollback`.",
        ),
        context={"checks": ", ".join(each.check for each in failed)},
    )


def _version_not_verified(version: str, finding: Finding) -> Problem:
    cause = finding.problem
    return Problem(
        code="UPDATE-NOT-VERIFIED",
        what=f"Version {version} of the assistant's runtime was not verified, so it did not take over.",
        why=f"{cause.what} {cause.why}" if cause else finding.what,
        do=(
            "Correct what it names, then run `sre-agent-deploy resume`. Until then the previous version serves, unchanged.",
            *(cause.do[:1] if cause else ()),
        ),
        context={"checks": finding.check},
    )


def _no_address(instance_id: str) -> Problem:
    return Problem(
        code="UPDATE-NOT-VERIFIED",
        what=f"The new machine {instance_id} was not verified, so it did not take over.",
        why="It has no public address of its own: it was not launched here. An Elastic IP that moves to it unverified could fail.",
        do=(
            "Terminate it (EC2 > Instances): the next deployment launches one with an address.",
            "Or set deployment.hosted_zone_id: each machine then has an Elastic IP of its own.",
            "Then run `sre-agent-deploy deploy` again. Until then the previous machine serves.",
        ),
    )
