"""Deployments with their revisions: the changes of each, also in the configuration that it refers to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sre_core.redaction import redact_setting
from sre_services.kubernetes.model import Deployment, Difference, EnvVar, Revision, Template
from sre_services.kubernetes.objects import Json, parse_conditions, parse_resources, parse_time

_REVISION = "deployment.kubernetes.io/revision"
_CAUSE = "kubernetes.io/change-cause"
_CLUSTER_HOST = re.compile(r"\b([a-z0-9][a-z0-9-]*)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?\b")


@dataclass(frozen=True)
class References:
    """The objects that deployments refer to: ConfigMaps and Services by (namespace, name)."""

    config_maps: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    services: frozenset[tuple[str, str]] = frozenset()


def parse_deployment(document: Json, replica_sets: tuple[Json, ...], references: References) -> Deployment:
    """Parse an `apps/v1` Deployment; the ReplicaSets that it owns are its revisions, newest first."""
    metadata, spec, status = document["metadata"], document["spec"], document.get("status", {})
    namespace = metadata.get("namespace", "default")
    containers = spec["template"]["spec"]["containers"]
    return Deployment(
        name=metadata["name"],
        namespace=namespace,
        created_at=parse_time(metadata.get("creationTimestamp")),
        strategy=spec.get("strategy", {}).get("type", "RollingUpdate"),
        desired=spec.get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        unavailable=status.get("unavailableReplicas", 0),
        conditions=parse_conditions(status),
        containers=tuple(_template(container) for container in containers),
        unknown_hosts=tuple(_unknown_hosts(spec["template"], namespace, references)),
        revisions=_revisions(metadata["name"], namespace, replica_sets, references),
    )


def compare_settings(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """Compare two templates: the paths whose values differ, in order."""
    changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    return tuple(
        Difference(path=path, before=redact_setting(path, before.get(path, "")), after=redact_setting(path, after.get(path, "")))
        for path in changed
    )


def flatten_template(template: Json, namespace: str, references: References) -> dict[str, str]:
    """Flatten a pod template to paths and values, with the content of the ConfigMaps in `envFrom` where they are known."""
    flat: dict[str, str] = {}
    for container in template["spec"]["containers"]:
        flat.update(_container_settings(container, namespace, references))
    for volume in template["spec"].get("volumes", ()):
        flat[f"volumes.{volume['name']}"] = _compact({key: value for key, value in volume.items() if key != "name"})
    flat["serviceAccountName"] = template["spec"].get("serviceAccountName", "")
    return {path: value for path, value in flat.items() if value}


def _container_settings(container: Json, namespace: str, references: References) -> Iterator[tuple[str, str]]:
    prefix = f"containers.{container['name']}"
    yield f"{prefix}.image", container.get("image", "")
    for key in ("command", "args", "ports", "livenessProbe", "readinessProbe", "startupProbe"):
        yield f"{prefix}.{key}", _compact(container[key]) if key in container else ""
    for kind, amounts in (container.get("resources") or {}).items():
        yield from ((f"{prefix}.resources.{kind}.{name}", str(amount)) for name, amount in amounts.items())
    for reference in _env_from(container):
        yield f"{prefix}.envFrom.{_stem(reference)}", reference
        kind, _, name = reference.partition("/")
        values = references.config_maps.get((namespace, name), {}) if kind == "configMap" else {}
        yield from ((f"{prefix}.env.{key}", value) for key, value in values.items())
    yield from ((f"{prefix}.env.{env['name']}", env.get("value") or _source(env)) for env in container.get("env", ()))


def _revisions(name: str, namespace: str, replica_sets: tuple[Json, ...], references: References) -> tuple[Revision, ...]:
    owned = [document for document in replica_sets if _owned_by(document, name, namespace)]
    owned.sort(key=_number, reverse=True)
    flat = [flatten_template(document["spec"]["template"], namespace, references) for document in owned]
    pairs = [(_number(older), compare_settings(before, after)) for (_, after), (older, before) in pairwise(zip(owned, flat, strict=True))]
    return tuple(parse_revision(document, *pair) for document, pair in zip(owned, [*pairs, (None, ())], strict=False))


def parse_revision(document: Json, compared_with: int | None = None, changes: tuple[Difference, ...] = ()) -> Revision:
    """Parse an `apps/v1` ReplicaSet as a revision of its deployment."""
    metadata, status = document["metadata"], document.get("status", {})
    return Revision(
        revision=_number(document),
        replica_set=metadata["name"],
        created_at=parse_time(metadata.get("creationTimestamp")),
        replicas=document["spec"].get("replicas", 0),
        ready_replicas=status.get("readyReplicas", 0),
        images=tuple(container.get("image", "") for container in document["spec"]["template"]["spec"]["containers"]),
        change_cause=metadata.get("annotations", {}).get(_CAUSE, ""),
        compared_with=compared_with,
        changes=changes,
    )


def _template(container: Json) -> Template:
    return Template(
        name=container["name"],
        image=container.get("image", ""),
        resources=parse_resources(container),
        env=tuple(
            EnvVar(name=env["name"], value=redact_setting(env["name"], env.get("value") or ""), value_from=_source(env))
            for env in container.get("env", ())
        ),
        config_references=tuple(_env_from(container)),
    )


def _unknown_hosts(template: Json, namespace: str, references: References) -> Iterator[str]:
    """Find hosts of the cluster that the configuration names and no Service has; none when no Services are known."""
    if not references.services:
        return
    for path, value in flatten_template(template, namespace, references).items():
        for service, where in _CLUSTER_HOST.findall(value):
            if (where, service) not in references.services:
                yield f"{path}: no Service {service} in namespace {where}"


def _env_from(container: Json) -> Iterator[str]:
    for source in container.get("envFrom", ()):
        for kind, key in (("configMap", "configMapRef"), ("secret", "secretRef")):
            if key in source:
                yield f"{kind}/{source[key]['name']}"


def _source(env: Json) -> str:
    for kind, about in (env.get("valueFrom") or {}).items():
        name = about.get("name") or about.get("fieldPath") or about.get("resource") or ""
        return f"{kind.removesuffix('KeyRef').removesuffix('Ref')}/{name}" + (f":{about['key']}" if "key" in about else "")
    return ""


def _owned_by(replica_set: Json, name: str, namespace: str) -> bool:
    metadata = replica_set["metadata"]
    owners = metadata.get("ownerReferences") or ()
    return metadata.get("namespace") == namespace and any(o["kind"] == "Deployment" and o["name"] == name for o in owners)


def _number(replica_set: Json) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(_REVISION, 0))


def _stem(reference: str) -> str:
    """Return a generated name without its content hash, so that a new generation is a change and not a new setting."""
    return re.sub(r"-[a-z0-9]{8,10}$", "", reference)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
