"""Check what a pod template refers to: accounts, Secrets, ConfigMaps, claims, ports, and Services in its environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from sre_services.kubernetes.model import Mismatch, Ref
from sre_services.kubernetes.objects import Json

type Key = tuple[str, str]

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*:)*//(?:[^\s/@]*@)?(?P<host>[a-z0-9][a-z0-9.-]*)(?::(?P<port>\d{1,5}))?(?:[/?]|$)")
_ADDRESS = re.compile(r"(?P<host>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*):(?P<port>\d{1,5})(?:/\S*)?")
_BARE = re.compile(r"(?P<host>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+\.svc(?:\.cluster\.local)?)?)")
_HOST_VARIABLE = re.compile(r"(?P<stem>.*?)_?(?:HOST(?:NAME)?|ADDR(?:ESS)?|SERVER)$", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """The objects that references can lead to. A kind of which nothing is known in a namespace refutes nothing."""

    names: Mapping[str, frozenset[Key]] = field(default_factory=dict)
    service_ports: Mapping[Key, frozenset[int]] = field(default_factory=dict)
    config_maps: Mapping[Key, Mapping[str, str]] = field(default_factory=dict)

    def lacks(self, kind: str, namespace: str, name: str) -> bool:
        """Return True when objects of the kind are known in the namespace, and none has this name."""
        known = self.names.get(kind, frozenset())
        return any(key[0] == namespace for key in known) and (namespace, name) not in known


@dataclass(frozen=True)
class Target:
    """A Service that an environment variable names."""

    variable: str
    namespace: str
    name: str
    port: int | None


def check_references(spec: Json, namespace: str, known: Known) -> Iterator[Mismatch]:
    """Report each reference of a pod spec to an object that does not exist."""
    account = spec.get("serviceAccountName") or ""
    references = [("ServiceAccount", account)] if account else []
    references += [("PersistentVolumeClaim", name) for name in claims_of(spec)]
    references += [*_secrets_and_maps(spec), *(("Secret", found["name"]) for found in spec.get("imagePullSecrets") or ())]
    for kind, name in dict.fromkeys(references):
        if known.lacks(kind, namespace, name):
            text = f"{kind} {name} does not exist in namespace {namespace}"
            yield Mismatch(relation=kind[0].lower() + kind[1:], message=text, object=Ref(kind=kind, namespace=namespace, name=name))


def check_environment(spec: Json, namespace: str, known: Known) -> Iterator[Mismatch]:
    """Report each variable that names a Service that does not exist, or a port that the Service does not have."""
    if not any(key[0] == namespace for key in known.service_ports):
        return
    for target in named_services(spec, namespace, known):
        key = (target.namespace, target.name)
        ports = known.service_ports.get(key)
        ref = Ref(kind="Service", namespace=target.namespace, name=target.name)
        if ports is None:
            near = get_close_matches(
                target.name, [name for found, name in known.service_ports if found == target.namespace], n=1, cutoff=0.7
            )
            hint = f"; the nearest is {near[0]}" if near else ""
            # Its workload is there: then the name is right, and the Service is what is missing.
            hint = ", although a workload of this name does" if key in known.names.get("Workload", ()) else hint
            yield Mismatch(
                relation="envHost", message=f"{target.variable} names Service {target.name}, which does not exist{hint}", object=ref
            )
        elif target.port is not None and target.port not in ports:
            text = f"{target.variable} names port {target.port} of Service {target.name}, which has {', '.join(map(str, sorted(ports)))}"
            yield Mismatch(relation="envPort", message=text, object=ref)


def check_ports(spec: Json) -> Iterator[Mismatch]:
    """Report probes of ports that no container declares, and ports that two containers of one pod declare."""
    containers = spec.get("containers") or ()
    owners: dict[tuple[int, str], str] = {}
    for container in containers:
        for port in container.get("ports") or ():
            key = (int(port["containerPort"]), port.get("protocol", "TCP"))
            first = owners.setdefault(key, container["name"])
            if first != container["name"]:
                yield Mismatch(
                    relation="sharedPort", message=f"containers {first} and {container['name']} both declare port {key[0]}/{key[1]}"
                )
    for container in containers:
        declared = {str(value) for port in container.get("ports") or () for value in (port["containerPort"], port.get("name")) if value}
        for type_, port in probe_ports(container):
            if declared and port and port not in declared:
                name, ports = container["name"], ", ".join(sorted(declared))
                text = f"the {type_} probe of container {name} asks port {port}, and the container declares {ports}"
                yield Mismatch(relation=f"{type_}Probe", message=text)


def probe_ports(container: Json) -> Iterator[tuple[str, str]]:
    """Yield each probe's type and the port that it asks."""
    for type_ in ("liveness", "readiness", "startup"):
        probe = container.get(f"{type_}Probe") or {}
        for handler in ("httpGet", "grpc", "tcpSocket"):
            if handler in probe:
                yield type_, str(probe[handler].get("port", ""))


def claims_of(spec: Json) -> list[str]:
    """Return the claims that a pod mounts."""
    return [volume["persistentVolumeClaim"]["claimName"] for volume in spec.get("volumes") or () if "persistentVolumeClaim" in volume]


def named_services(spec: Json, namespace: str, known: Known) -> Iterator[Target]:
    """Yield the Services that the environment names: `store:6379`, `http://store/`, `STORE_HOST=store` with `STORE_PORT=6379`."""
    for container in spec.get("containers") or ():
        values = _environment(container, namespace, known)
        for variable, value in values.items():
            host, port = _address(variable, value, values)
            name, _, rest = host.partition(".")
            if name and (not rest or re.fullmatch(r"[a-z0-9-]+\.svc(?:\.cluster\.local)?", rest) or rest == namespace):
                yield Target(variable, rest.partition(".")[0] or namespace, name, port)


def _environment(container: Json, namespace: str, known: Known) -> dict[str, str]:
    """Return the variables with a known value: those of ConfigMaps, and the container's own."""
    values: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        values |= known.config_maps.get((namespace, (source.get("configMapRef") or {}).get("name", "")), {})
    return values | {found["name"]: str(found.get("value") or "") for found in container.get("env") or ()}


def _address(variable: str, value: str, values: Mapping[str, str]) -> tuple[str, int | None]:
    if found := _URL.search(value) or _ADDRESS.fullmatch(value):
        return (found["host"], int(found["port"]) if found["port"] else None) if found["host"] != "localhost" else ("", None)
    named = _HOST_VARIABLE.fullmatch(variable)
    if named and _BARE.fullmatch(value) and value not in {"localhost", "true", "false"}:
        port = values.get(f"{named['stem']}_PORT", "")
        return value, int(port) if port.isdigit() else None
    return "", None


def _secrets_and_maps(spec: Json) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes") or ():
        for kind, key, name in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
            if key in volume and not volume[key].get("optional"):
                yield kind, volume[key].get(name, "")
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                if key in source and not source[key].get("optional"):
                    yield kind, source[key]["name"]
        for variable in container.get("env") or ():
            for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                about = (variable.get("valueFrom") or {}).get(key)
                if about and not about.get("optional"):
                    yield kind, about["name"]
