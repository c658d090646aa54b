"""Jobs that fail or do not start, and autoscalers that can't give their workload what it needs."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_agent.relations import Autoscaler, Job

_SUFFERING = frozenset({Kind.DEGRADED, Kind.CPU_SATURATED, Kind.ERROR_BURST})
_SOME = 2  # times of a schedule; a single one may be late


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect failed Jobs, missed schedules, and autoscalers whose workload suffers."""
    yield from (_failed(index, job) for job in index.observations.jobs if _matters(index, job))
    yield from _missed(index)
    for autoscaler in index.observations.autoscalers:
        yield from _autoscaler(index, autoscaler)


def _matters(index: ObservationIndex, job: Job) -> bool:
    """Return True for a Job that failed lately, and whose CronJob has not succeeded since."""
    if not job.failed or (job.ended and job.ended < index.since):
        return False
    runs = (found for found in index.observations.schedules if found.ref.name == job.owner)
    return not any(found.succeeded and job.ended and found.succeeded > job.ended for found in runs)


def _failed(index: ObservationIndex, job: Job) -> Candidate:
    names = {job.ref.name, job.owner} - {""}
    ends = [
        fact(job.ref.name, f"container {container.name} of pod {pod.name} ended: {container.message or container.reason}", pod.source)
        for pod in index.observations.pods
        for container in pod.containers
        if pod.service in names and (container.message or container.reason) and not container.ready
    ]
    lines = [
        fact(job.ref.name, f"{name} logged: {line.message[:250]}", line.source, at=line.at)
        for name in names
        for line in index.logs.get(name, ())
    ]
    detail = f"{job.reason}: {job.message}".strip(": ")
    return suspect(
        "job_failed",
        job.ref,
        detail,
        Reason(0.65, "Kubernetes gave it up", (fact(job.ref.name, f"Job {job.ref.name} failed: {detail}", job.source, at=job.ended),)),
        Reason(0.1, "its containers ended with an error", tuple(ends[:2])),
        Reason(0.1, "its log has errors", tuple(lines[:2])),
        explains=frozenset(names - {job.ref.name}),
    )


def _missed(index: ObservationIndex) -> Iterator[Candidate]:
    for schedule in index.observations.schedules:
        if schedule.missed >= _SOME:
            why = schedule.mismatches[0].message if schedule.mismatches else f"{schedule.missed} runs did not start"
            what = f"CronJob {schedule.ref.name} has missed {schedule.missed} times of its schedule: {why}"
            cited = fact(schedule.ref.name, what, schedule.source, at=schedule.since)
            yield suspect("cron_schedule_missed", schedule.ref, why, Reason(0.65, "times of its schedule went by without a Job", (cited,)))


def _autoscaler(index: ObservationIndex, autoscaler: Autoscaler) -> Iterator[Candidate]:
    """Blame an autoscaler only where its workload suffers."""
    service = autoscaler.target.name
    suffering = tuple(signal for signal in index.signals if signal.service == service and signal.kind in _SUFFERING)
    if not suffering or not (autoscaler.limited or autoscaler.unknown_metrics):
        return
    said = "; ".join(autoscaler.complaints)
    if autoscaler.limited:
        cause, detail = "autoscaler_at_maximum", f"{service} has {autoscaler.replicas} replicas, and may not have more"
    else:
        cause, detail = "autoscaler_without_metrics", f"{', '.join(autoscaler.unknown_metrics)} of {service} is unknown: {said}"
    yield suspect(
        cause,
        autoscaler.ref,
        detail,
        Reason(0.45, "it can't add replicas", (fact(autoscaler.ref.name, f"{detail} ({said})" if said else detail, autoscaler.source),)),
        Reason(0.2, "its workload suffers", _first_of_each_kind(suffering)),
        explains=frozenset({service}) | index.graph.dependents_of(service),
    )


def _first_of_each_kind(signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
    return tuple({signal.kind: signal for signal in reversed(signals)}.values())
