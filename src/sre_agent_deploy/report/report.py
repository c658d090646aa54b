"""The verification report: what was deployed, what was proven, what changed since the last one, and each cause of a failure once (pure).

A cause has the hop at which it is, and what else fails because of it (requirement 4.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sre_agent_deploy.checks import Finding, is_complete
from sre_agent_deploy.checks.verification.services import FROM_ASSISTANT, HOP_WORKS
from sre_agent_deploy.config.section import SetupResult, VerificationReport
from sre_core import clock, release
from sre_core.hops import HOPS
from sre_core.problem import Problem


@dataclass(frozen=True)
class ResourceResult:
    """One resource of the deployment, as the journal records it."""

    name: str
    kind: str
    id: str
    how: str
    """`created`, `updated`, `replaced`, `kept`, or `used` for what the user named."""


@dataclass(frozen=True)
class Since:
    """The differences to the previous report; `when` is its time, empty if there is none."""

    when: str = ""
    broken: tuple[str, ...] = ()
    """The checks that passed then and do not now."""
    repaired: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    """The resources that it did not have, by name and id."""
    removed: tuple[str, ...] = ()

    def describe(self) -> tuple[str, ...]:
        """Describe each kind of change in one line; nothing if there is none."""
        parts = {"no longer pass": self.broken, "pass again": self.repaired, "new": self.added, "gone": self.removed}
        return tuple(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


@dataclass(frozen=True)
class Report:
    """The verification report of a deployment at one moment."""

    deployment: str
    region: str
    mode: str
    assistant_url: str
    resources: tuple[ResourceResult, ...]
    findings: tuple[Finding, ...]
    timestamp: str = ""
    since: Since = Since()

    @property
    def verified(self) -> bool:
        """Say if every required check passed."""
        return is_complete(self.findings)

    @property
    def overall_status(self) -> str:
        return "verified" if self.verified else "not verified"

    @property
    def assistant_at(self) -> str:
        """Say where the assistant runs; only on the instance does it have a health path."""
        return "the instance" if any(finding.check == "service.assistant" for finding in self.findings) else "AgentCore Runtime"

    @property
    def hops(self) -> dict[str, tuple[bool, bool]]:
        """Pair what was proven of each hop from here and from where the assistant runs."""
        from_assistant = prove_hops_from_assistant(self.findings)
        return {hop: (works, from_assistant[hop]) for hop, works in prove_hops(self.findings).items()}

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """List what is behind everything that did not pass, each cause once."""
        return find_causes(self.findings)

    def summarize(self) -> VerificationReport:
        """Return the report in the mission's form: a result for each component, for each hop, and recommendations."""
        components = dict.fromkeys(_component(finding) for finding in self.findings)
        return VerificationReport(
            timestamp=clock.parse(self.timestamp) if self.timestamp else clock.now(),
            overall_status=self.overall_status,
            component_results=tuple(self._judge_component(name) for name in components),
            connectivity_tests=prove_hops(self.findings),
            connectivity_from_assistant=prove_hops_from_assistant(self.findings),
            recommendations=tuple(f"{cause.problem.what} {cause.problem.do[0]}" for cause in self.causes),
        )

    def _judge_component(self, name: str) -> SetupResult:
        findings = [finding for finding in self.findings if _component(finding) == name]
        open_findings = [finding for finding in findings if finding.status != "passed"]
        required = [finding for finding in open_findings if finding.required]
        return SetupResult(
            success=not required,
            component=name,
            message="; ".join(finding.what for finding in open_findings or findings),
            details={finding.check: finding.status for finding in findings},
            next_steps=tuple(dict.fromkeys(finding.problem.do[0] for finding in open_findings if finding.problem)),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "deployment": self.deployment,
            "region": self.region,
            "mode": self.mode,
            "assistant_url": self.assistant_url,
            **self.summarize().model_dump(mode="json"),
            "timestamp": self.timestamp or clock.stamp(),
            "causes": [_cause_json(cause) for cause in self.causes],
            "since": asdict(self.since),
            "resources": [vars(made) for made in self.resources],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def json(self) -> str:
        """Render the report for programs."""
        return json.dumps(self.to_json(), indent=2) + "\n"


def _component(finding: Finding) -> str:
    head, _, rest = finding.check.partition(".")
    return {"service": rest, "endpoint": "front door", "certificate": "front door", "token": "login", "access": "login"}.get(head, head)


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {"hop": cause.hop, "checks": list(cause.checks), "required": cause.required, "problem": cause.problem.to_json()}


def compare_reports(before: Mapping[str, Any] | None, findings: tuple[Finding, ...], resources: tuple[ResourceResult, ...]) -> Since:
    """Compare with the document of the report before; one that is damaged counts as none (pure)."""
    try:
        passed = {entry["check"] for entry in before["findings"] if entry["status"] == "passed"} if before else set()
        known = {entry["check"] for entry in before["findings"]} if before else set()
        had = {f"{entry['name']} {entry['id']}" for entry in before["resources"] if entry["how"] != "deleted"} if before else set()
        when = str(before["timestamp"]) if before else ""
    except (KeyError, TypeError):
        return Since()
    if not when:
        return Since()
    passes = {finding.check: finding.status == "passed" for finding in findings if finding.check in known}
    has = [f"{made.name} {made.id}" for made in resources if made.how != "deleted"]
    return Since(
        when,
        tuple(check for check, holds in passes.items() if not holds and check in passed),
        tuple(check for check, holds in passes.items() if holds and check not in passed),
        tuple(name for name in has if name not in had),
        tuple(sorted(had - set(has))),
    )


# The hop at which a problem is. Their order is that of explanation: one further up explains those below it that need what it is about.
_HOP_OF: Mapping[str, str] = {
    "ENDPOINT-NAME-UNKNOWN": "dns",
    "ENDPOINT-NAME-ELSEWHERE": "dns",
    "ENDPOINT-NAME-NOT-SEEN": "dns",
    "ENDPOINT-IPV6-NOT-SEEN": "dns",
    "LOGIN-NAME-UNKNOWN": "dns",
    "ENDPOINT-UNREACHABLE": "tcp",
    "ENDPOINT-TLS": "tls",
    "TLS-EXPIRED": "tls",
    "TLS-NOT-YET-VALID": "tls",
    "TLS-EXPIRES-SOON": "tls",
    "ENDPOINT-SILENT": "http",
    "ENDPOINT-PLAIN-HTTP": "http",
    "AUTH-NO-TOKEN": "token",
    "AUTH-TOKEN-CLAIMS": "token",
    "GATEWAY-UNREACHABLE": "gateway",
    "ACCESS-NOT-REFUSED": "token",
    "SERVICE-UNHEALTHY": "backend",
    "SERVICE-SOURCE-UNREADABLE": "backend",
    "GATEWAY-LIST-ENDLESS": "target",
    "GATEWAY-TOOLS-MISSING": "target",
    "GATEWAY-CALL-FAILED": "backend",
    "ACCESS-NOT-SEEN": "backend",
    "ACCESS-EXPIRY-NOT-SEEN": "token",
    "ASSISTANT-HOP-BROKEN": "backend",
    "ASSISTANT-NO-ANSWER": "backend",
    "MODEL-NO-ANSWER": "model",
    "TRACES-NOT-ACCEPTED": "backend",
    "TRACES-NOT-ARRIVED": "backend",
    "TRACES-NOT-SEEN": "backend",
}
_RANK = {code: rank for rank, code in enumerate(_HOP_OF)}
# An open door is never explained by something else.
_TRACES = frozenset({"TRACES-NOT-ACCEPTED", "TRACES-NOT-ARRIVED", "TRACES-NOT-SEEN"})
_OWN = frozenset({"ACCESS-NOT-REFUSED", "ENDPOINT-PLAIN-HTTP", "TLS-EXPIRES-SOON", "ACCESS-EXPIRY-NOT-SEEN"}) | _TRACES
# What is broken where the assistant runs is at the hop that it names. From here, the same hop may work.
_BROKEN_THERE = "ASSISTANT-HOP-BROKEN"
_OWN_QUESTIONS = frozenset({"assistant.investigation", "assistant.model", FROM_ASSISTANT})
_BEFORE = tuple(code for code in _HOP_OF if code not in _OWN and _RANK[code] <= _RANK[_BROKEN_THERE])
_LAST_OF = {**{_HOP_OF[code]: _RANK[code] for code in _BEFORE}, "model": len(_RANK)}
# What does not show that the way of a question is broken.
_ASIDE = frozenset({"TLS-EXPIRES-SOON"}) | _TRACES
_ADDRESSED = frozenset({"ENDPOINT-NAME-UNKNOWN", "ENDPOINT-UNREACHABLE", "ENDPOINT-TLS", "ENDPOINT-SILENT"})
# What shows that a hop works: one of these has passed, and nothing failed at the hop.
_PROOFS: Mapping[str, tuple[str, ...]] = {
    "dns": ("endpoint.name",),
    "tcp": ("service.", "certificate."),
    "tls": ("service.", "certificate."),
    "http": ("service.",),
    "token": ("token.",),
    "gateway": ("gateway.tools_listed",),
    "target": ("gateway.tools_listed",),
    "backend": ("gateway.tools_called",),
    "model": ("assistant.model",),
}


@dataclass(frozen=True)
class Cause:
    """One cause: its hop, its problem, the checks that found it, and those that can't pass before it is solved."""

    problem: Problem
    hop: str
    parts: frozenset[str]
    found_by: tuple[Finding, ...]
    affected: tuple[Finding, ...] = ()

    @property
    def required(self) -> bool:
        """Say if the deployment is incomplete because of it."""
        return any(finding.required for finding in (*self.found_by, *self.affected))

    @property
    def checks(self) -> tuple[str, ...]:
        return tuple(finding.check for finding in (*self.found_by, *self.affected))


def find_causes(findings: Sequence[Finding]) -> tuple[Cause, ...]:
    """Find each cause once, those first without which the deployment is incomplete, then by the way of a question."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        if finding.problem and finding.status != "passed":
            groups.setdefault(_key(finding.problem), []).append(finding)
    causes = sorted((_cause(group) for group in groups.values()), key=_rank)
    roots: list[Cause] = []
    for cause in causes:
        index = next((number for number, root in enumerate(roots) if _explains(root, cause)), None)
        if index is None:
            roots.append(cause)
        else:
            roots[index] = replace(roots[index], affected=(*roots[index].affected, *cause.found_by))
    return tuple(sorted(roots, key=lambda cause: not cause.required))


def find_hop(problem: Problem) -> str:
    """Return the hop at which a problem is; empty for one that is at none."""
    hop = _HOP_OF.get(problem.code, "")
    return problem.context.get("hop", hop) if problem.code == _BROKEN_THERE else hop


def prove_hops(findings: Sequence[Finding]) -> Mapping[str, bool]:
    """Say for each hop if it was proven to work. One that could not be tried was not."""
    # What the assistant can't do because of a hop there says nothing of the hops from here.
    there = any(finding.problem and finding.problem.code == _BROKEN_THERE for finding in findings)
    here = [finding for finding in findings if finding.check not in (_OWN_QUESTIONS if there else {FROM_ASSISTANT})]
    failed = {find_hop(finding.problem) for finding in here if finding.problem and finding.status != "passed" and _counts(finding)}
    passed = [finding.check for finding in findings if finding.status == "passed"]
    return MappingProxyType({hop: hop not in failed and any(check.startswith(_PROOFS[hop]) for check in passed) for hop in HOPS})


def prove_hops_from_assistant(findings: Sequence[Finding]) -> Mapping[str, bool]:
    """Say for each hop if it works from where the assistant runs: it has tried all but the model, which its investigation uses."""
    works = {hop for finding in findings if finding.check == FROM_ASSISTANT for hop, seen in finding.values.items() if seen == HOP_WORKS}
    works |= {"model" for finding in findings if finding.check == "assistant.model" and finding.status == "passed"}
    return MappingProxyType({hop: hop in works for hop in HOPS})


def _counts(finding: Finding) -> bool:
    """Leave out what is a warning of another time, such as a certificate that still has some days."""
    return finding.required or (finding.status == "failed" and finding.problem is not None and finding.problem.code not in _ASIDE)


def _key(problem: Problem) -> object:
    # The texts of one dead address differ by the library that met it; of other problems equal reasons are one cause.
    if problem.code in _ADDRESSED:
        return problem.code, problem.context.get("part", problem.what)
    if problem.code.startswith("AUTH-"):
        return problem.code
    return problem.code, problem.why


def _cause(group: Sequence[Finding]) -> Cause:
    problem = group[0].problem
    assert problem
    contexts = [finding.problem.context for finding in group if finding.problem]
    keys = dict.fromkeys(key for context in contexts for key in context)
    joined = {key: ", ".join(dict.fromkeys(context[key] for context in contexts if key in context)) for key in keys}
    parts = frozenset().union(*(_parts(finding) for finding in group))
    return Cause(replace(problem, context=joined), find_hop(problem), parts, tuple(group))


def _parts(finding: Finding) -> frozenset[str]:
    """Return the parts of the deployment that a finding is about."""
    problem = finding.problem
    assert problem
    if "part" in problem.context:
        return frozenset(_split(problem.context["part"]))
    if problem.code.startswith("AUTH-"):
        return frozenset({"login"})
    if problem.code.startswith("GATEWAY-"):
        return frozenset({"gateway", *_split(problem.context.get("services", ""))})
    return frozenset({finding.check.removeprefix("service.").partition(".")[0]})


def _split(names: str) -> Iterable[str]:
    return filter(None, names.split(", "))


def _needs(finding: Finding) -> frozenset[str]:
    """Return the parts of the deployment that must work for a check to pass."""
    head, _, rest = finding.check.partition(".")
    services = {service.name for service in release.services()}
    table: Mapping[str, set[str]] = {
        "endpoint": {"front door"},
        "certificate": {"front door"},
        "service": {"front door"},
        "token": {"login"},
        "access": {"front door", "login", "gateway", "assistant"},
        "gateway": {"gateway"} if rest == "no_token" else {"gateway", "login"},
        "assistant": {"front door", "assistant"} if rest == "no_token" else {"front door", "assistant", "login"},
    }
    if finding.check == "gateway.tools_called":
        return frozenset({"front door", "login", "gateway", *services})
    if finding.check in _OWN_QUESTIONS:
        return frozenset({"front door", "login", "gateway", *services})
    return frozenset(table.get(head, {"front door", head}))


def _rank(cause: Cause) -> float:
    if cause.problem.code == _BROKEN_THERE:
        return _LAST_OF[cause.hop] + 0.5
    return _RANK.get(cause.problem.code, len(_RANK))


def _explains(root: Cause, cause: Cause) -> bool:
    """Say if a cause is only the effect of one further up: everything that found it needs what the other is about."""
    if cause.problem.code in _OWN or root.problem.code in _OWN or not root.required or _rank(root) >= _rank(cause):
        return False
    if cause.problem.code == _BROKEN_THERE and root.hop in HOPS[HOPS.index(cause.hop) + 1 :]:
        return False
    if root.problem.code == _BROKEN_THERE and not all(finding.check.startswith("assistant.") for finding in cause.found_by):
        return False
    if cause.problem.code == "GATEWAY-CALL-FAILED" and root.problem.code.startswith("SERVICE-"):
        return cause.parts - {"gateway"} <= root.parts
    return all(root.parts & _needs(finding) for finding in cause.found_by)
