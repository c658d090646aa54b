"""Incidents made from the healthy recording, for causes of which a folder of labelled cases has none: one change each."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from evals.score import Verdict
from evals.suites.incident import Incident, Object, list_owned, read_incident, stamp
from sre_services.recording import SHIPPED

_SINCE = timedelta(minutes=20)  # the fault began so long before the recording's end
_EVERY = timedelta(seconds=20)


def make_incidents() -> Iterator[Incident]:
    """Yield one incident for each cause of the table below."""
    healthy = read_incident(SHIPPED / "healthy", "healthy")
    for cause, (service, break_it) in _MADE.items():
        broken = break_it(replace(healthy, objects=copy.deepcopy(healthy.objects)), service)
        yield replace(broken, name=f"made: {cause}", expected=(Verdict(cause, f"app/{service}"),))


def _log(incident: Incident, service: str, *messages: str) -> Incident:
    """Let the first pod of a service log these messages, over and over, until the recording's end."""
    lines = incident.logs[service]
    prefix = lines[-1].partition(" ")[0]
    count = int(_SINCE / _EVERY)
    added = [
        f"{prefix} {(incident.end - _SINCE + number * _EVERY):%Y-%m-%dT%H:%M:%S}.000000000Z ERROR {messages[number % len(messages)]}"
        for number in range(count)
    ]
    return replace(incident, logs={**incident.logs, service: sorted([*lines, *added], key=lambda line: line.partition(" ")[2])})


def _change_containers(incident: Incident, service: str, change: Callable[[Object], None]) -> None:
    """Change the pod template of a service, and the pods made from it."""
    for kind in ("deployments", "replicasets"):
        for found in list_owned(incident, service, kind):
            change(found["spec"]["template"]["spec"])
    for pod in list_owned(incident, service, "pods"):
        change(pod["spec"])


def _wait(incident: Incident, service: str, reason: str, message: str, *, crashed: str = "") -> None:
    """Let all containers of a service wait; `crashed` is what those that had started ended with."""
    for pod in list_owned(incident, service, "pods"):
        status: dict[str, Any] = pod["status"]
        for condition in status["conditions"]:
            if condition["type"] in {"Ready", "ContainersReady"}:
                condition |= {"status": "False", "lastTransitionTime": stamp(incident.end - _SINCE)}
        for container in status["containerStatuses"]:
            container |= {"ready": False, "started": False, "state": {"waiting": {"reason": reason, "message": message}}}
            if crashed:
                ended = stamp(incident.end - timedelta(minutes=1))
                container["restartCount"] = 8
                container["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "message": crashed, "finishedAt": ended}}
    _empty_endpoints(incident, service)
    for deployment in list_owned(incident, service, "deployments"):
        deployment["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": deployment["spec"]["replicas"]}


def _empty_endpoints(incident: Incident, service: str) -> None:
    for found in list_owned(incident, service, "endpointslices"):
        for endpoint in found["endpoints"]:
            endpoint["conditions"] = {"ready": False, "serving": False, "terminating": False}


def _refuse_user(incident: Incident, service: str) -> Incident:
    return _log(incident, service, 'db: FATAL: password authentication failed for user "payments" (SQLSTATE 28P01)')


def _ask_wrong_port(incident: Incident, service: str) -> Incident:
    message = "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure: Connection refused (payments-db:3307)"
    for found in list_owned(incident, service, "configmaps"):
        found["data"]["DB_PORT"] = "3307"
    return _log(incident, service, message)


def _write_to_replica(incident: Incident, service: str) -> Incident:
    return _log(incident, _USER_OF[service], "db: ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)")


def _use_up_connections(incident: Incident, service: str) -> Incident:
    return _log(incident, _USER_OF[service], "db: FATAL: sorry, too many clients already (SQLSTATE 53300)")


def _scale_to_zero(incident: Incident, service: str) -> Incident:
    for kind in ("deployments", "replicasets"):
        for found in list_owned(incident, service, kind):
            found["spec"]["replicas"] = 0
            found["status"] = {"replicas": 0, "observedGeneration": found["metadata"].get("generation", 1)}
    pods = list(list_owned(incident, service, "pods"))
    incident.objects["pods"] = [pod for pod in incident.objects["pods"] if pod not in pods]
    for found in list_owned(incident, service, "endpointslices"):
        found["endpoints"] = []
    return _log(incident, "checkout-service", f"http: POST http://{service}:8080/quotes: dial tcp: connect: connection refused")


def _lose_names(incident: Incident, service: str) -> Incident:
    hosts = ("cart-service", "payment-service", "shipping-service")
    return _log(incident, service, *(f"http: GET http://{host}:8080/: dial tcp: lookup {host}: no such host" for host in hosts))


def _misroute(incident: Incident, service: str) -> Incident:
    """The entry of the recording is called frontend; a gateway is known by its name."""
    return _log(
        _rename(incident, "frontend", service), service, "http: GET http://catalog-service:8080/carts/8841 404 Not Found, no matching route"
    )


def _rename(incident: Incident, old: str, new: str) -> Incident:
    changed = {part: json.loads(json.dumps(getattr(incident, part)).replace(old, new)) for part in ("objects", "logs", "series")}
    return replace(incident, **changed)


def _miss_secret(incident: Incident, service: str) -> Incident:
    reference = {"name": "CARRIER_KEY", "valueFrom": {"secretKeyRef": {"name": "carrier-credentials", "key": "key"}}}
    _change_containers(incident, service, lambda spec: spec["containers"][0].setdefault("env", []).append(reference))
    _wait(incident, service, "CreateContainerConfigError", 'secret "carrier-credentials" not found')
    return incident


def _share_port(incident: Incident, service: str) -> Incident:
    sidecar = {"name": "metrics", "image": "registry.shop.example/shop/exporter:1", "ports": [{"containerPort": 8080, "protocol": "TCP"}]}
    _change_containers(incident, service, lambda spec: spec["containers"].append(sidecar))
    for pod in list_owned(incident, service, "pods"):
        statuses = pod["status"]["containerStatuses"]
        statuses.append({**copy.deepcopy(statuses[0]), "name": "metrics", "image": sidecar["image"]})
    crashed = "listen tcp :8080: bind: address already in use"
    _wait(incident, service, "CrashLoopBackOff", "back-off 5m0s restarting failed container", crashed=crashed)
    return _log(incident, service, crashed)


def _fail_job(incident: Incident, service: str) -> Incident:
    ended = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": stamp(incident.end - _SINCE)}
    status = {"failed": 4, "conditions": [{**ended, "message": "Job has reached the specified backoff limit"}]}
    return _add(incident, "jobs", service, {"backoffLimit": 3}, status)


def _miss_schedule(incident: Incident, service: str) -> Incident:
    spec = {"schedule": "*/5 * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}
    status = {"lastScheduleTime": stamp(incident.end - _SINCE), "active": [{"name": f"{service}-29393"}]}
    return _add(incident, "cronjobs", service, spec, status)


def _deny(incident: Incident, service: str) -> Incident:
    """A policy that forgets the service that is called for each payment."""
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "frontend"}}}]}
    called, caller = "payment-service", "checkout-service"
    spec = {"podSelector": {"matchLabels": {"app": called}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    _change_containers(incident, caller, lambda spec: _set_variable(spec, "PAYMENT_ADDR", f"{called}:8080"))
    denied = _add(incident, "networkpolicies", service, spec)
    return _log(denied, caller, f"http: POST http://{called}:8080/payments: dial tcp 10.100.166.5:8080: i/o timeout")


def _set_variable(spec: Object, name: str, value: str) -> None:
    spec["containers"][0].setdefault("env", []).append({"name": name, "value": value})


def _route_nowhere(incident: Incident, service: str) -> Incident:
    backend = {"service": {"name": "store-front", "port": {"number": 8080}}}
    rule = {"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return _add(incident, "ingresses", service, {"ingressClassName": "nginx", "rules": [rule]})


def _refuse_by_limits(incident: Incident, service: str) -> Incident:
    """Pods that were deleted for a rollout and are not admitted again."""
    incident = _add(incident, "limitranges", "bounds", {"limits": [{"type": "Container", "max": {"memory": "200Mi"}}]})
    pods = list(list_owned(incident, service, "pods"))
    incident.objects["pods"] = [pod for pod in incident.objects["pods"] if pod not in pods]
    for kind in ("deployments", "replicasets"):
        for found in list_owned(incident, service, kind):
            found["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "replicas": 0}
    (replica_set,) = [found for found in list_owned(incident, service, "replicasets") if found["spec"]["replicas"]][:1]
    name = replica_set["metadata"]["name"]
    event = {
        "metadata": {"name": f"{name}.1", "namespace": incident.namespace},
        "type": "Warning",
        "reason": "FailedCreate",
        "involvedObject": {"kind": "ReplicaSet", "namespace": incident.namespace, "name": name},
        "message": f'Error creating: pods "{name}-x7k2p" is forbidden: maximum memory usage per Container is 200Mi, but limit is 256Mi',
        "lastTimestamp": stamp(incident.end - timedelta(minutes=1)),
        "count": 12,
    }
    incident.objects["events"] = [*incident.objects["events"], event]
    return incident


def _add(incident: Incident, kind: str, name: str, spec: Object, status: Object | None = None) -> Incident:
    created = stamp(incident.end - timedelta(days=2))
    metadata = {"name": name, "namespace": incident.namespace, "creationTimestamp": created}
    added = {"metadata": metadata, "spec": spec, "status": status or {}}
    return replace(incident, objects={**incident.objects, kind: [*incident.objects.get(kind, ()), added]})


_USER_OF = {"payments-db": "payment-service", "catalog-db": "catalog-service"}
_MADE: Mapping[str, tuple[str, Callable[[Incident, str], Incident]]] = {
    "mysql_invalid_credentials": ("payment-service", _refuse_user),
    "mysql_invalid_port": ("payment-service", _ask_wrong_port),
    "db_readonly_mode": ("catalog-db", _write_to_replica),
    "db_connection_exhaustion": ("payments-db", _use_up_connections),
    "deployment_zero_replicas": ("shipping-service", _scale_to_zero),
    "service_dns_resolution_failure": ("checkout-service", _lose_names),
    "gateway_misrouted": ("api-gateway", _misroute),
    "missing_secret_binding": ("shipping-service", _miss_secret),
    "service_sidecar_port_conflict": ("shipping-service", _share_port),
    "job_failed": ("nightly-export", _fail_job),
    "cron_schedule_missed": ("stock-sync", _miss_schedule),
    "network_policy_denied": ("payments-only-from-frontend", _deny),
    "route_backend_missing": ("shop", _route_nowhere),
    "limit_range_exceeded": ("shipping-service", _refuse_by_limits),
}
