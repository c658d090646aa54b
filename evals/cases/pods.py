"""Pods and pod templates of a description, as Kubernetes API objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from evals.cases.description import Block, format_time, parse_time

type Json = dict[str, Any]

_PROBE = re.compile(r"(http-get|grpc|tcp-socket|exec)\s+(\S+)")
_PROBES = {"Liveness": "livenessProbe", "Readiness": "readinessProbe", "Startup": "startupProbe"}
_FROM_KEY = re.compile(r"<set to the key '(.+?)' (?:in|of) (secret|config map) '(.+?)'>")
_TOLERATION = re.compile(
    r"(?P<key>[^:=\s]*)(?:=(?P<value>[^:\s]*))?(?::(?P<effect>\w+))?(?:\s+op=(?P<operator>\w+))?(?: for (?P<seconds>\d+)s)?"
)
_TIMINGS = {
    "initialDelaySeconds": r"delay=(\d+)s",
    "timeoutSeconds": r"timeout=(\d+)s",
    "periodSeconds": r"period=(\d+)s",
    "failureThreshold": r"#failure=(\d+)",
}


def pod_spec(block: Block) -> Json:
    """Build the spec of a pod or of a pod template."""
    spec: Json = {"containers": [container(name, part) for name, part in block.part("Containers").parts.items()]}
    if block.text("Service Account"):
        spec["serviceAccountName"] = block.text("Service Account")
    if initial := block.part("Init Containers").parts:
        spec["initContainers"] = [container(name, part) for name, part in initial.items()]
    if volumes := [volume(name, part) for name, part in block.part("Volumes").parts.items() if part.parts]:
        spec["volumes"] = volumes
    if selector := block.part("Node-Selectors").pairs():
        spec["nodeSelector"] = selector
    if tolerations := list(_tolerations(block.part("Tolerations"))):
        spec["tolerations"] = tolerations
    return spec


def container(name: str, block: Block) -> Json:
    """Build the declaration of a container."""
    declared: Json = {"name": name, "image": block.text("Image")}
    if ports := re.findall(r"(\d+)/(\w+)", block.text("Port") or block.text("Ports")):
        declared["ports"] = [{"containerPort": int(port), "protocol": protocol} for port, protocol in ports]
    for key, field in (("Command", "command"), ("Args", "args")):
        if lines := block.part(key).lines:
            declared[field] = [line.strip() for line in lines]
    resources: Json = {
        field: block.part(key).pairs(":") for key, field in (("Limits", "limits"), ("Requests", "requests")) if key in block.parts
    }
    if resources:
        declared["resources"] = resources
    for key, field in _PROBES.items():
        if key in block.parts:
            declared[field] = probe(block.text(key))
    declared |= _environment(block)
    if mounts := re.findall(r"(/\S*) from (\S+) \((\w+)", "\n".join(block.part("Mounts").lines)):
        declared["volumeMounts"] = [{"mountPath": path, "name": source, "readOnly": mode == "ro"} for path, source, mode in mounts]
    return declared


def probe(text: str) -> Json:
    """Build a probe of `grpc <pod>:9555  delay=5s timeout=1s period=5s #success=1 #failure=3`."""
    built: Json = {}
    if found := _PROBE.match(text):
        port = (re.findall(r":(\w+)", found[2]) or [""])[-1]
        path = re.sub(r"^\w*://[^/]*", "", found[2])
        handlers: dict[str, Json] = {
            "http-get": {"httpGet": {"path": path or "/", "port": _number(port)}},
            "grpc": {"grpc": {"port": _number(port)}},
            "tcp-socket": {"tcpSocket": {"port": _number(port)}},
            "exec": {"exec": {"command": [text.partition("  ")[0].removeprefix("exec ")]}},
        }
        built = handlers[found[1]]
    timings = {field: re.search(pattern, text) for field, pattern in _TIMINGS.items()}
    return built | {field: int(found[1]) for field, found in timings.items() if found}


def volume(name: str, block: Block) -> Json:
    """Build a volume, with what it refers to."""
    kind = block.text("Type").partition(" ")[0]
    optional = block.text("Optional") == "true"
    sources: dict[str, Json] = {
        "PersistentVolumeClaim": {"persistentVolumeClaim": {"claimName": block.text("ClaimName")}},
        "Secret": {"secret": {"secretName": block.text("SecretName"), "optional": optional}},
        "ConfigMap": {"configMap": {"name": block.text("Name"), "optional": optional}},
        "HostPath": {"hostPath": {"path": block.text("Path"), "type": block.text("HostPathType")}},
        "EmptyDir": {"emptyDir": {}},
    }
    return {"name": name, **sources.get(kind, {"projected": {"sources": []}} if kind == "Projected" else {})}


def status_of(name: str, block: Block) -> Json:
    """Build the status of a container."""
    status: Json = {
        "name": name,
        "ready": block.text("Ready") == "True",
        "restartCount": int(block.text("Restart Count") or 0),
        "image": block.text("Image"),
    }
    for key, field in (("State", "state"), ("Last State", "lastState")):
        if (built := _state(block.part(key))) is not None:
            status[field] = built
    return status


def _state(block: Block) -> Json | None:
    kind = block.value.partition(" ")[0].lower()
    if kind not in {"waiting", "running", "terminated"}:
        return None
    body: Json = {}
    if block.text("Reason"):
        body["reason"] = block.text("Reason")
    if "Message" in block.parts:
        message = block.part("Message")
        body["message"] = "\n".join([message.value, *(line.strip() for line in message.lines)]).strip()
    if block.text("Exit Code").lstrip("-").isdigit():
        body["exitCode"] = int(block.text("Exit Code"))
    for key, field in (("Started", "startedAt"), ("Finished", "finishedAt")):
        if stamp := format_time(parse_time(block.text(key))):
            body[field] = stamp
    return {kind: body}


def _environment(block: Block) -> Json:
    variables = [_variable(name, part.value) for name, part in block.part("Environment").parts.items()]
    sources = [
        found for line in block.part("Environment Variables from").lines if (found := re.match(r"\s*(\S+)\s+(Secret|ConfigMap)\b", line))
    ]
    refs = [{"secretRef" if found[2] == "Secret" else "configMapRef": {"name": found[1]}} for found in sources]
    return ({"env": variables} if variables else {}) | ({"envFrom": refs} if refs else {})


def _variable(name: str, value: str) -> Json:
    if found := _FROM_KEY.match(value):
        kind = "secretKeyRef" if found[2] == "secret" else "configMapKeyRef"
        return {"name": name, "valueFrom": {kind: {"name": found[3], "key": found[1]}}}
    if found := re.match(r"\((\S+):(\S+)\)", value):
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": found[2]}}}
    return {"name": name, "value": value}


def _tolerations(block: Block) -> Iterator[Json]:
    for line in (block.value, *block.lines):
        found = _TOLERATION.fullmatch(line.strip())
        if found is None or not line.strip() or line.strip().startswith("<"):
            continue
        fields = {"key": found["key"], "value": found["value"], "effect": found["effect"]}
        operator = found["operator"] or ("Equal" if found["value"] else "Exists")
        yield {key: value for key, value in fields.items() if value} | {"operator": operator}


def _number(port: str) -> int | str:
    return int(port) if port.isdigit() else port
