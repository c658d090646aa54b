"""Kubernetes answers, parsed to records: pods, deployments with their changes, events, nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sre_agent.evidence import Answer, Excerpt
from sre_agent.observations import Change, Container, Event, Node, Pod, Workload
from sre_agent.reading import Json, items, moment, objects, part, text, texts, whole
from sre_agent.specialists import naming


def parse_pods(answer: Answer) -> Iterator[Pod]:
    """Parse the pods of `get_pod_status`."""
    for item, source in items(answer):
        conditions = {text(condition, "type"): condition for condition in objects(item, "conditions")}
        containers = tuple(_container(found) for key in ("initContainers", "containers") for found in objects(item, key))
        phase = text(item, "phase")
        started = tuple(container for container in containers if container.reason != "Completed")
        yield Pod(
            namespace=text(item, "namespace"),
            name=text(item, "name"),
            service=naming.workload_of_owner(text(item, "owner"), text(item, "name")),
            phase=phase,
            ready=phase == "Succeeded" or (phase == "Running" and all(container.ready for container in started)),
            created=moment(item, "createdAt"),
            containers=containers,
            node=text(item, "node"),
            reason=text(item, "reason") or text(conditions.get("PodScheduled"), "reason"),
            message=text(item, "message") or text(conditions.get("PodScheduled"), "message"),
            source=_excerpt(source, item, "name", "namespace", "phase", "reason", "node", "createdAt", "initContainers", "containers"),
        )


def parse_workloads(answer: Answer) -> Iterator[Workload]:
    """Parse the deployments of `get_deployment_status`."""
    for item, source in items(answer):
        complaints = [
            f"{text(condition, 'reason')}: {text(condition, 'message')}"
            for condition in objects(item, "conditions")
            if text(condition, "status") == ("True" if text(condition, "type") == "ReplicaFailure" else "False")
        ]
        yield Workload(
            namespace=text(item, "namespace"),
            service=text(item, "name"),
            desired=whole(item, "desired") or 0,
            available=whole(item, "available") or 0,
            settings=dict(_settings(item)),
            complaints=(*complaints, *texts(item, "unknownHosts")),
            source=_excerpt(source, item, "name", "namespace", "desired", "updated", "ready", "available", "conditions", "unknownHosts"),
        )


def parse_changes(answer: Answer) -> Iterator[Change]:
    """Parse the revisions of `get_deployment_status`, with what each changed."""
    for item, source in items(answer):
        for revision in objects(item, "revisions"):
            at = moment(revision, "createdAt")
            if at is None or whole(revision, "comparedWith") is None:
                continue  # the first revision changes nothing
            yield Change(
                service=text(item, "name"),
                at=at,
                revision=text(revision, "revision"),
                differences=tuple(_difference(found) for found in objects(revision, "changes")),
                source=replace(source, text=_describe_revision(item, revision), happened=at),
            )


def parse_events(answer: Answer, service_of_pod: Mapping[str, str], namespaces: frozenset[str]) -> Iterator[Event]:
    """Parse the events of `get_cluster_events`: those of these namespaces and of nodes."""
    for item, source in items(answer):
        kind, _, name = text(item, "object").partition("/")
        if namespaces and kind != "Node" and text(item, "namespace") not in namespaces:
            continue
        at = moment(item, "lastTimestamp")
        yield Event(
            at=moment(item, "firstTimestamp") or at,
            warning=text(item, "type") == "Warning",
            reason=text(item, "reason"),
            kind=kind,
            name=name,
            service=_service(kind, name, service_of_pod),
            message=text(item, "message"),
            count=whole(item, "count") or 1,
            source=replace(source, happened=at),
        )


def parse_nodes(answer: Answer) -> Iterator[Node]:
    """Parse the nodes of `get_node_status`."""
    for item, source in items(answer):
        complaints = [
            f"{text(condition, 'type')}: {text(condition, 'reason')} {text(condition, 'message')}".strip()
            for condition in objects(item, "conditions")
            if text(condition, "status") == ("False" if text(condition, "type") == "Ready" else "True")
        ]
        yield Node(name=text(item, "name"), ready=part(item, "ready") is True, complaints=tuple(complaints), source=source)


def _container(item: Json) -> Container:
    state, last = part(item, "state"), part(item, "lastState")
    ended = state if text(state, "type") == "terminated" and not last else last
    return Container(
        name=text(item, "name"),
        ready=part(item, "ready") is True,
        restarts=whole(item, "restartCount") or 0,
        reason=text(state, "reason"),
        message=text(state, "message"),
        last_reason=text(ended, "reason"),
        last_message=text(ended, "message"),
        last_exit_code=whole(ended, "exitCode"),
        last_finished=moment(ended, "finishedAt"),
    )


def _excerpt(source: Excerpt, item: Json, *parts: str) -> Excerpt:
    """Keep the parts of an object that a reader needs; resources and images would only hide them."""
    kept = {name: [_short(found) for found in objects(item, name)] or item[name] for name in parts if name in item}
    return replace(source, text=json.dumps(kept, ensure_ascii=False))


def _short(inner: Json) -> Json:
    return {name: value for name, value in inner.items() if name not in {"resources", "image"}}


def _settings(item: Json) -> Iterator[tuple[str, str]]:
    for container in objects(item, "containers"):
        for variable in objects(container, "env"):
            yield text(variable, "name"), text(variable, "value") or text(variable, "valueFrom")


def _difference(change: Json) -> str:
    before, after = text(change, "before"), text(change, "after")
    return f"{text(change, 'path')}: {before or '(none)'} → {after or '(removed)'}"


def _describe_revision(item: Json, revision: Json) -> str:
    cause = text(revision, "changeCause")
    lines = [f"deployment {text(item, 'name')}, revision {text(revision, 'revision')} at {text(revision, 'createdAt')}"]
    lines += [f"change-cause: {cause}"] if cause else []
    lines += [_difference(change) for change in objects(revision, "changes")] or ["no difference in the pod template is recorded"]
    return "\n".join(lines)


def _service(kind: str, name: str, service_of_pod: Mapping[str, str]) -> str:
    if kind == "Pod":
        return service_of_pod.get(name) or naming.workload_of_pod(name)
    if kind == "ReplicaSet":
        return naming.workload_of_replica_set(name)
    return "" if kind == "Node" else name
