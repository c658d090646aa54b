"""Jobs and CronJobs: why a Job failed, and which times of a schedule went by without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from sre_services.kubernetes.model import Mismatch, Ref
from sre_services.kubernetes.objects import Json, key_of, parse_conditions, parse_owner, parse_time
from sre_services.kubernetes.scaling_model import CronJob, Job

_ENDS = {"Complete": "Complete", "Failed": "Failed", "Suspended": "Suspended"}
# The macros of Kubernetes' schedules: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
# The controller looks every ten seconds, and creates the Job a moment later.
_GRACE = timedelta(minutes=2)
_MOST_MISSED = 100


def parse_job(document: Json) -> Job:
    """Parse a `batch/v1` Job."""
    namespace, name = key_of(document)
    spec, status = document.get("spec") or {}, document.get("status") or {}
    ended = next((found for found in parse_conditions(status) if found.type in _ENDS and found.status == "True"), None)
    return Job(
        name=name,
        namespace=namespace,
        state=_ENDS[ended.type] if ended else "Suspended" if spec.get("suspend") else "Running",
        owner=parse_owner(document["metadata"]),
        reason=ended.reason if ended else "",
        message=ended.message if ended else "",
        active=status.get("active") or 0,
        succeeded=status.get("succeeded") or 0,
        failed=status.get("failed") or 0,
        completions=spec.get("completions") or 1,
        backoff_limit=spec.get("backoffLimit", 6),
        active_deadline_seconds=spec.get("activeDeadlineSeconds"),
        started_at=parse_time(status.get("startTime")),
        ended_at=parse_time(status.get("completionTime")) or (ended.last_transition_time if ended else None),
    )


def parse_cron_job(document: Json) -> CronJob:
    """Parse a `batch/v1` CronJob, without what was missed."""
    namespace, name = key_of(document)
    spec, status = document.get("spec") or {}, document.get("status") or {}
    return CronJob(
        name=name,
        namespace=namespace,
        schedule=spec.get("schedule", ""),
        time_zone=spec.get("timeZone") or "",
        suspended=bool(spec.get("suspend")),
        concurrency_policy=spec.get("concurrencyPolicy", "Allow"),
        starting_deadline_seconds=spec.get("startingDeadlineSeconds"),
        last_scheduled_at=parse_time(status.get("lastScheduleTime")),
        last_succeeded_at=parse_time(status.get("lastSuccessfulTime")),
        active=tuple(found["name"] for found in status.get("active") or ()),
    )


def join_cron_job(document: Json, jobs: Sequence[Job], as_of: datetime) -> CronJob:
    """Add to a CronJob which of its Jobs failed, and which times of its schedule went by without a Job."""
    found, began = parse_cron_job(document), parse_time(document["metadata"].get("creationTimestamp"))
    own = [job for job in jobs if job.namespace == found.namespace and job.owner == f"CronJob/{found.name}"]
    failed = tuple(job.name for job in own if job.state == "Failed")
    since = found.last_scheduled_at or began
    try:
        missed = () if found.suspended or since is None else tuple(_list_due(found, since, as_of - _GRACE))
    except (ValueError, ZoneInfoNotFoundError) as fault:
        unreadable = Mismatch(relation="schedule", message=f"the schedule can't be read: {fault}")
        return replace(found, failed_jobs=failed, mismatches=(unreadable,))
    blockers = tuple(_check_missed(found)) if missed else ()
    return replace(found, failed_jobs=failed, missed=len(missed), missed_since=next(iter(missed), None), mismatches=blockers)


def _list_due(cron_job: CronJob, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the times of a schedule between two moments, as many as Kubernetes itself counts. Raises ValueError."""
    zone = ZoneInfo(cron_job.time_zone or "Etc/UTC")
    try:
        times = CronSim(_MACROS.get(cron_job.schedule.strip(), cron_job.schedule.replace("?", "*")), since.astimezone(zone))
        for due in islice(times, _MOST_MISSED):
            if due > until:
                return
            yield due
    except CronSimError as fault:
        raise ValueError(f"{cron_job.schedule!r}: {fault}") from None


def _check_missed(cron_job: CronJob) -> Iterator[Mismatch]:
    """Report a run that keeps the next one from starting."""
    if cron_job.concurrency_policy == "Forbid" and cron_job.active:
        running = Ref(kind="Job", namespace=cron_job.namespace, name=cron_job.active[0])
        text = f"Job {running.name} still runs, and concurrencyPolicy Forbid lets no other start"
        yield Mismatch(relation="concurrencyPolicy", message=text, object=running)
