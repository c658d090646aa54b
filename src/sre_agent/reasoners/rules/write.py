"""The report of a diagnosis. A claim without evidence is not made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sre_agent.evidence import Answer, EvidenceLog, Excerpt
from sre_agent.finding import Finding, Rejected, accept
from sre_agent.observations import Observations, Runbook
from sre_agent.reading import part, text
from sre_agent.reasoners import Inquiry
from sre_agent.reasoners.rules.calibration import calibrate
from sre_agent.reasoners.rules.diagnose import Diagnosis, RuledOut
from sre_agent.reasoners.rules.hypotheses import Candidate
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_agent.relations import Ref
from sre_agent.report import Claim, Confidence, Gap, Report, Role, RootCause, Step
from sre_agent.scope import Scope
from sre_core import clock

MOST_FINDINGS = 12
MOST_MOMENTS = 25
MOST_CITATIONS = 12
OF_ONE_KIND = 2
_NOT_NOW = frozenset({Kind.OLD_RESTARTS, Kind.RESTARTED})


def write_report(inquiry: Inquiry, observations: Observations, diagnosis: Diagnosis, log: EvidenceLog) -> Report:
    """Write the report. A root cause that cites nothing becomes "not enough evidence" here at the latest."""
    cause = _root_cause(diagnosis.cause, observations, log, diagnosis.affected) if diagnosis.cause else None
    others = [_root_cause(found, observations, log, role="further") for found in diagnosis.others]
    if cause and diagnosis.second:
        others.append(_second_best(diagnosis.second, cause, observations, log))
    without = "not_enough_evidence" if diagnosis.cause else diagnosis.verdict
    verdict = cause.verdict if cause else without
    findings = _accept_all((*_asked_about(inquiry.scope, observations, diagnosis, log), *_findings(diagnosis, log)), log)
    return Report(
        investigation_id=log.investigation_id,
        prompt=inquiry.prompt,
        scope=inquiry.scope.to_json(),
        started_at=inquiry.started_at,
        finished_at=clock.now(),
        reasoner="rules",
        verdict=verdict,
        root_cause=cause,
        other_causes=tuple(found for found in others if found),
        findings=findings,
        timeline=_accept_all(_timeline(diagnosis, log), log),
        ruled_out=_accept_all((_ruled_out(found, log) for found in diagnosis.ruled_out), log),
        gaps=(*observations.gaps, *_gap_of_suspicion(diagnosis)),
        checked=_accept_all(_checked(observations.answers, log), log),
        next_steps=list_steps(observations.runbooks, log) if verdict != "nothing_wrong" else (),
        evidence=tuple(log),
    )


def _second_best(second: Candidate, first: RootCause, observations: Observations, log: EvidenceLog) -> RootCause | None:
    """State what explains the complaint second best, and why it is not the first."""
    found = _root_cause(second, observations, log, role="second_best")
    if not second.decisive:
        against = second.missing
    elif second.vague:
        against = "it names no mechanism"
    else:
        against = f"its evidence weighs less, {second.score:.2f} against {first.score:.2f}"
    return replace(found, against=against) if found else None


def _root_cause(
    cause: Candidate, observations: Observations, log: EvidenceLog, affected: tuple[str, ...] = (), role: Role = "first"
) -> RootCause | None:
    cited = _cite(cause.signals, log)[:MOST_CITATIONS]
    if isinstance(accept(Finding(claim=cause.summary, evidence=cited), log), Rejected):
        return None
    return RootCause(
        kind=cause.kind,
        service=cause.service,
        ref=cause.object or _find_object(cause.service, observations),
        summary=cause.summary,
        confidence=Confidence(calibrate(cause.score)),
        score=cause.score,
        reasons=tuple(f"{reason.because} ({reason.points:+.2f})" for reason in cause.reasons),
        affected=affected,
        evidence=cited,
        role=role,
    )


def _find_object(name: str, observations: Observations) -> Ref:
    """Find the node or the workload of a name."""
    if any(node.name == name for node in observations.nodes):
        return Ref(kind="Node", name=name)
    known = next((required.ref for required in observations.requirements if required.ref.name == name), None)
    namespaces = (record.namespace for kind in (observations.workloads, observations.pods) for record in kind if record.service == name)
    return known or Ref(kind="Deployment", namespace=next(namespaces, ""), name=name)


def _asked_about(scope: Scope, observations: Observations, diagnosis: Diagnosis, log: EvidenceLog) -> list[Claim]:
    """State that the service in the question is well, when it is."""
    if not scope.service or any(signal.service == scope.service for signal in diagnosis.symptoms):
        return []
    sources = [rate.source for rate in observations.error_rates if rate.service == scope.service]
    sources += [workload.source for workload in observations.workloads if workload.service == scope.service]
    what = f"{scope.service} itself shows no sign of trouble"
    return [Claim(what=what, evidence=tuple(log.record(source) for source in sources))]


def _findings(diagnosis: Diagnosis, log: EvidenceLog) -> list[Claim]:
    """Return the signals of the cause, then other symptoms; without a cause, the suspicion and the symptoms."""
    cause = diagnosis.cause
    found = [*cause.signals, *diagnosis.symptoms] if cause else list(diagnosis.symptoms)
    claims = [Claim(what=signal.what, evidence=_cite((signal,), log), at=signal.at) for signal in _keep_few_of_each(found)]
    if diagnosis.suspicion:
        suspicion = diagnosis.suspicion
        confidence = Confidence(calibrate(suspicion.score))
        what = f"Suspected, not concluded: {suspicion.summary} (confidence {confidence.word}, {confidence.score:.2f})"
        claims.insert(0, Claim(what=what, why=suspicion.missing, evidence=_cite(suspicion.signals, log)))
    return claims[:MOST_FINDINGS]


def _keep_few_of_each(signals: Iterable[Signal]) -> list[Signal]:
    """Keep at most OF_ONE_KIND signals of one kind and service: a fifth killed pod proves no more than the second."""
    groups: dict[tuple[Kind, str], list[Signal]] = defaultdict(list)
    for signal in dict.fromkeys(signals):
        groups[signal.kind, signal.service].append(signal)
    return [signal for group in groups.values() for signal in group[:OF_ONE_KIND]]


def _timeline(diagnosis: Diagnosis, log: EvidenceLog) -> list[Claim]:
    """Return the dated signals of the cause and of the affected services, oldest first."""
    cause = diagnosis.cause
    concerned = {cause.service, *diagnosis.affected} if cause else {signal.service for signal in diagnosis.symptoms}
    dated = [
        signal
        for signal in diagnosis.signals
        if signal.at and signal.service in concerned and signal.kind not in _NOT_NOW and (not cause or signal.kind is not Kind.CHANGED)
    ]
    dated += [signal for signal in cause.signals if signal.kind is Kind.CHANGED] if cause else []
    dated.sort(key=lambda signal: (signal.at or clock.now(), signal.kind is not Kind.CHANGED))
    first = sorted(_keep_few_of_each(dated)[:MOST_MOMENTS], key=lambda signal: signal.at or clock.now())
    return [Claim(what=signal.moment or signal.what, evidence=_cite((signal,), log), at=signal.at) for signal in first]


def _ruled_out(found: RuledOut, log: EvidenceLog) -> Claim:
    return Claim(what=found.what, why=found.why, evidence=_cite(found.signals, log))


def _checked(answers: Iterable[Answer], log: EvidenceLog) -> list[Claim]:
    """Return the calls that were answered, with their summaries; further calls of the same tool are only counted and cited."""
    by_tool: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if not answer.failure:
            by_tool[answer.tool].append(answer)
    claims = []
    for first, *others in by_tool.values():
        evidence = tuple(log.record(Excerpt(answer, _summarize(answer))) for answer in (first, *others))
        more = f" (and {len(others)} more calls)" if others else ""
        claims.append(Claim(what=f"{first.call}{more}", why=_summarize(first), evidence=evidence))
    return claims


def _summarize(answer: Answer) -> str:
    summary = part(answer.data, "summary")
    facts = ", ".join(f"{name}: {_brief(value)}" for name, value in summary.items()) if isinstance(summary, dict) else ""
    return (facts or text(answer.data, "note") or "answered")[:300]


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={count}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _gap_of_suspicion(diagnosis: Diagnosis) -> tuple[Gap, ...]:
    suspicion = diagnosis.suspicion
    return (Gap(f"What would decide whether {suspicion.summary}", suspicion.missing),) if suspicion and suspicion.missing else ()


def list_steps(runbooks: Sequence[Runbook], log: EvidenceLog) -> tuple[Step, ...]:
    """List the steps of runbooks, each with the citation of its runbook."""
    return tuple(
        Step(
            text=step.text,
            runbook=runbook.id,
            title=runbook.title,
            needs_approval=step.changes_something,
            evidence=(log.record(runbook.source),),
        )
        for runbook in runbooks
        for step in runbook.steps
    )


def _cite(signals: Iterable[Signal], log: EvidenceLog) -> tuple[str, ...]:
    return tuple(dict.fromkeys(log.record(source) for signal in signals for source in signal.sources))


def _accept_all(claims: Iterable[Claim], log: EvidenceLog) -> tuple[Claim, ...]:
    return tuple(claim for claim in claims if isinstance(accept(Finding(claim=claim.what, evidence=claim.evidence), log), Finding))
