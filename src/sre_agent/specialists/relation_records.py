"""Kubernetes answers about relations, parsed to records: workloads, Services, claims, bounds, jobs, traffic, components of nodes."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent.evidence import Answer
from sre_agent.reading import Json, items, moment, objects, part, text, texts, whole
from sre_agent.relations import (
    Autoscaler,
    Claim,
    Component,
    Denial,
    Exposure,
    Job,
    LimitRange,
    Mismatch,
    Probe,
    Quota,
    Ref,
    Requirements,
    Route,
    Schedule,
)


def parse_requirements(answer: Answer) -> Iterator[Requirements]:
    """Parse the workloads of `get_workload_status`."""
    for item, source in items(answer):
        containers = objects(item, "containers")
        yield Requirements(
            ref=_ref(item),
            desired=whole(item, "desired") or 0,
            ready=whole(item, "ready") or 0,
            mismatches=tuple(_mismatches(item)),
            calls=texts(item, "calls"),
            nodes=texts(item, "nodes"),
            waiting_pods=texts(item, "waitingPods"),
            probes=tuple(_probe(text(container, "name"), probe) for container in containers for probe in objects(container, "probes")),
            ports=tuple(port for container in containers for port in texts(container, "ports")),
            containers=len(containers),
            claims=texts(item, "claims"),
            image_pull_secrets=texts(item, "imagePullSecrets"),
            source=source,
        )


def parse_further(answer: Answer) -> tuple[str, ...]:
    """Parse the operations that `get_workload_status` names because there are objects of their kinds."""
    return texts(part(answer.data, "summary"), "see_also")


def parse_exposures(answer: Answer) -> Iterator[Exposure]:
    """Parse the Services of `get_service_status`."""
    for item, source in items(answer):
        yield Exposure(
            ref=_named("Service", item),
            ports={whole(port, "port") or 0: text(port, "targetPort") for port in objects(item, "ports")},
            mismatches=tuple(_mismatches(item)),
            pods=texts(item, "pods"),
            ready_endpoints=whole(item, "readyEndpoints"),
            source=source,
        )


def parse_claims(answer: Answer) -> Iterator[Claim]:
    """Parse the claims of `get_storage_status`."""
    for item, source in items(answer):
        yield Claim(
            ref=_named("PersistentVolumeClaim", item),
            bound=text(item, "phase") == "Bound",
            mismatches=tuple(_mismatches(item)),
            used_by=tuple(_ref(found) for found in objects(item, "usedBy")),
            source=source,
        )


def parse_quotas(answer: Answer) -> Iterator[Quota]:
    """Parse the quotas of `get_quota_status`."""
    for item, source in items(answer):
        hard = part(item, "hard")
        yield Quota(
            ref=_named("ResourceQuota", item),
            limited=tuple(map(str, hard)) if isinstance(hard, dict) else (),
            exhausted=texts(item, "exhausted"),
            missing_objects=tuple(_ref(found) for found in objects(item, "missingObjects")),
            source=source,
        )


def parse_components(answer: Answer) -> Iterator[Component]:
    """Parse the components of `get_node_components`."""
    for item, source in items(answer):
        yield Component(
            node=text(item, "node"),
            component=text(item, "component"),
            running=part(item, "running") is True,
            state=text(item, "state"),
            since=moment(item, "since"),
            source=source,
        )


def parse_jobs(answer: Answer) -> Iterator[Job]:
    """Parse the Jobs of `get_job_status`."""
    for item, source in items(answer):
        if text(item, "kind") == "Job":
            yield Job(
                ref=_ref(item),
                owner=text(item, "owner").partition("/")[2],
                failed=text(item, "state") == "Failed",
                reason=text(item, "reason"),
                message=text(item, "message"),
                ended=moment(item, "endedAt"),
                source=source,
            )


def parse_schedules(answer: Answer) -> Iterator[Schedule]:
    """Parse the CronJobs of `get_job_status`."""
    for item, source in items(answer):
        if text(item, "kind") == "CronJob":
            yield Schedule(
                ref=_ref(item),
                missed=whole(item, "missed") or 0,
                since=moment(item, "missedSince"),
                succeeded=moment(item, "lastSucceededAt"),
                mismatches=tuple(_mismatches(item)),
                source=source,
            )


def parse_autoscalers(answer: Answer) -> Iterator[Autoscaler]:
    """Parse the autoscalers of `get_autoscaler_status`."""
    for item, source in items(answer):
        target = part(item, "target")
        yield Autoscaler(
            ref=_named("HorizontalPodAutoscaler", item),
            target=_ref(target if isinstance(target, dict) else {}),
            replicas=whole(item, "currentReplicas") or 0,
            limited=part(item, "limited") is True,
            unknown_metrics=texts(item, "unknownMetrics"),
            complaints=tuple(f"{text(found, 'reason')}: {text(found, 'message')}" for found in objects(item, "conditions")),
            source=source,
        )


def parse_limit_ranges(answer: Answer) -> Iterator[LimitRange]:
    """Parse the limits of `get_limit_status`."""
    for item, source in items(answer):
        yield LimitRange(ref=_named("LimitRange", item), mismatches=tuple(_mismatches(item)), source=source)


def parse_routes(answer: Answer) -> Iterator[Route]:
    """Parse the routes of `get_route_status`."""
    for item, source in items(answer):
        yield Route(ref=_ref(item), mismatches=tuple(_mismatches(item)), source=source)


def parse_denials(answer: Answer) -> Iterator[Denial]:
    """Parse the denied connections of `get_connectivity_status`."""
    for item, source in items(answer):
        for found in objects(item, "denies"):
            origin, destination = part(found, "source"), part(found, "destination")
            yield Denial(
                policy=_named("NetworkPolicy", item),
                direction=text(found, "direction"),
                origin=_ref(origin if isinstance(origin, dict) else {}),
                destination=_ref(destination if isinstance(destination, dict) else {}),
                port=whole(found, "port") or 0,
                source=source,
            )


def _named(kind: str, item: Json) -> Ref:
    return Ref(kind=kind, namespace=text(item, "namespace"), name=text(item, "name"))


def _mismatches(item: Json) -> Iterator[Mismatch]:
    for found in objects(item, "mismatches"):
        about = part(found, "object")
        ref = _ref(about) if isinstance(about, dict) else None
        yield Mismatch(relation=text(found, "relation"), message=text(found, "message"), object=ref)


def _probe(container: str, probe: Json) -> Probe:
    return Probe(
        container=container,
        type=text(probe, "type"),
        handler=text(probe, "handler"),
        port=text(probe, "port"),
        initial_delay=whole(probe, "initialDelaySeconds") or 0,
        timeout=whole(probe, "timeoutSeconds") or 1,
        period=whole(probe, "periodSeconds") or 10,
    )


def _ref(found: Json) -> Ref:
    return Ref(kind=text(found, "kind"), namespace=text(found, "namespace"), name=text(found, "name"))
