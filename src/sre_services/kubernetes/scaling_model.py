"""The model of what runs to an end, and of what bounds workloads: jobs, autoscalers, and the limits of a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_services.answer import Camel
from sre_services.kubernetes.model import Condition, Mismatch, Observed, Ref


@dataclass(frozen=True, kw_only=True)
class Job(Observed):
    """A Job: `state` is Running, Complete, Failed or Suspended. `failed` counts pods, of which `backoff_limit` may fail."""

    kind: str = "Job"
    name: str
    namespace: str
    state: str
    owner: str = ""
    reason: str = ""
    message: str = ""
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    completions: int = 1
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CronJob(Observed):
    """A CronJob. `missed` times of its schedule went by without a Job, the first of them at `missed_since`."""

    kind: str = "CronJob"
    name: str
    namespace: str
    schedule: str
    time_zone: str = ""
    suspended: bool = False
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    last_scheduled_at: datetime | None = None
    last_succeeded_at: datetime | None = None
    missed: int = 0
    missed_since: datetime | None = None
    active: Sequence[str] = ()
    failed_jobs: Sequence[str] = ()
    mismatches: Sequence[Mismatch] = ()


@dataclass(frozen=True, kw_only=True)
class MetricTarget(Camel):
    """A metric of an autoscaler: the value that it holds to, and the value now; empty where it is unknown."""

    name: str
    target: str
    current: str = ""


@dataclass(frozen=True, kw_only=True)
class Autoscaler(Observed):
    """A HorizontalPodAutoscaler. `limited` is one that would have more replicas than its maximum allows."""

    name: str
    namespace: str
    target: Ref
    current_replicas: int
    desired_replicas: int
    min_replicas: int
    max_replicas: int
    at_maximum: bool
    limited: bool
    mismatches: Sequence[Mismatch] = ()
    unknown_metrics: Sequence[str] = ()
    metrics: Sequence[MetricTarget] = ()
    last_scaled_at: datetime | None = None
    conditions: Sequence[Condition] = ()


@dataclass(frozen=True, kw_only=True)
class Limit(Camel):
    """The limits of a LimitRange for one type of object: Container, Pod or PersistentVolumeClaim."""

    type: str
    min: Mapping[str, str]
    max: Mapping[str, str]
    default: Mapping[str, str]
    default_request: Mapping[str, str]
    max_limit_request_ratio: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LimitRange(Observed):
    """A LimitRange, and the workloads whose pods it refuses."""

    name: str
    namespace: str
    limits: Sequence[Limit]
    mismatches: Sequence[Mismatch] = ()
