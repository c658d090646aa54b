"""The same incident in another system: other names, ports and addresses, and the log of another runtime.

What the rules conclude must follow from relations and from what platforms say. All names are taken from the incident itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evals.score import Verdict
from evals.suites.incident import Incident

_NAMED = ("deployments", "statefulsets", "daemonsets", "services", "serviceaccounts", "configmaps", "persistentvolumeclaims",
          "persistentvolumes", "resourcequotas", "endpointslices")  # fmt: skip
_FIRST = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "indigo", "juniper", "kelp", "larch", "maple", "nimbus",
          "onyx", "pine", "quartz", "rowan", "sable", "tundra", "umber", "vale", "willow", "yarrow", "zephyr")  # fmt: skip
_SECOND = ("api", "core", "desk", "engine", "flow", "hub", "intake", "keeper", "ledger", "mill", "planner", "stock")
_ENDING = re.compile(r"[-_]?(?:service|svc|server|api)$")
_ADDRESS = re.compile(r"^(?:\w+://)?([a-z][a-z0-9-]{2,}):(\d+)")
_HASH = re.compile(r"-([bcdfghjklmnpqrstvwxz2456789]{8,10}|[0-9a-f]{8,10})(?=-[a-z0-9]{5}\b|\b)")
_STEM = 4  # letters; a shorter one is in other words as well
# Ports below are the platform's, and a service mesh has fixed ones.
_OWN_PORTS = range(1025, 15000)
_PORT_MOVES = 1137
# What Go, Python and .NET log, as Java logs it. The kubelet's and the registry's words are Kubernetes' own, and stay.
_PHRASES = tuple(
    (re.compile(pattern), other)
    for pattern, other in (
        (r"rpc error: code = Unavailable desc = ", "io.grpc.StatusRuntimeException: UNAVAILABLE: "),
        (r"rpc error: code = DeadlineExceeded desc = context deadline exceeded", "DEADLINE_EXCEEDED: deadline exceeded after 4.9s"),
        (r"rpc error: code = (\w+) desc = ", r"io.grpc.StatusRuntimeException: \1: "),
        (r"connection error: desc = ", "io exception: "),
        (r"transport: Error while dialing:? ", ""),
        (r"dial tcp: lookup (\S+) on \S+: no such host", r"java.net.UnknownHostException: \1"),
        (r"dial tcp (\S+): connect: connection refused", r"Connection refused: no further information: /\1"),
        (r"dial tcp (\S+): i/o timeout", r"connection timed out: /\1"),
        (r"last error: UNKNOWN: ipv4:(\S+): Failed to connect to remote host: ", r"java.net.ConnectException: \1: "),
        (r"It was not possible to connect to the redis server\(s\)", "Unable to connect to Redis"),
        (r"no connection became available within the specified timeout", "could not get a resource from the pool"),
        (r"[Cc]ould not (?:retrieve|convert|charge|get)", "cannot load"),
        (r"[Ff]ailed to (?:get|retrieve|complete|add to|convert|charge)", "error while handling"),
        (r"StackExchange\.Redis\.RedisConnectionException", "io.lettuce.core.RedisException"),
    )
)


@dataclass(frozen=True)
class Names:
    """Old names with their new ones, and the pattern that finds them in any text."""

    new: Mapping[str, str]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, new: Mapping[str, str]) -> Names:
        """Find whole names in any case and spelling, and the stem of a name anywhere; the longest first."""
        stems = {_ENDING.sub("", old): new_name for old, new_name in new.items()}
        every = {**{old: found for old, found in stems.items() if len(old) >= _STEM}, **new}
        ordered = sorted(every, key=len, reverse=True)
        found = (rf"(?<![a-z0-9]){_spell(old)}(?![a-z0-9])" if old in new else _within(old) for old in ordered)
        return cls({_flat(old): every[old] for old in ordered}, re.compile("|".join(found), re.IGNORECASE))

    def rename(self, text: str) -> str:
        """Replace every name; its case stays."""
        return self.pattern.sub(lambda found: _like(found[0], self.new[_flat(found[0])]), text)


def rename(incident: Incident) -> Incident:
    """Return the incident under other names, with what is expected of it."""
    names = Names.of(dict(_choose(incident)))
    ports = {port: str(int(port) + _PORT_MOVES) for port in _list_ports(incident)}

    def change(text: str) -> str:
        return _change_images(_HASH.sub(lambda found: f"-{found[1][::-1]}", names.rename(text)))

    def move(found: re.Match[str]) -> str:
        return ports.get(found[0], found[0])

    return replace(
        incident,
        name=f"{incident.name}, renamed",
        expected=tuple(Verdict(one.cause, change(one.object)) for one in incident.expected),
        namespace=names.rename(incident.namespace),
        objects=json.loads(_NUMBER.sub(move, change(json.dumps(incident.objects)))),
        logs={change(service): [_NUMBER.sub(move, change(_reword(line))) for line in lines] for service, lines in incident.logs.items()},
        series={file: [{**one, "metric": json.loads(change(json.dumps(one["metric"])))} for one in series]
                for file, series in incident.series.items()},
    )  # fmt: skip


_NUMBER = re.compile(r"(?<![\d.])\d{4,5}(?![\w.])")


def _choose(incident: Incident) -> Iterator[tuple[str, str]]:
    """Yield each name with another one: of two words for what an application has, of an address for a node."""
    kept = {"default", "kubernetes", "kube-root-ca.crt", ""}
    named = {str(one["metadata"]["name"]) for kind in _NAMED for one in incident.objects.get(kind, ())}
    called = {found[1] for value in _list_settings(incident) if (found := _ADDRESS.match(value))}
    for number, name in enumerate(sorted({*named, *called} - kept)):
        yield name, f"{_FIRST[number % len(_FIRST)]}-{_SECOND[(number + number // len(_FIRST)) % len(_SECOND)]}"
    for number, node in enumerate(incident.objects.get("nodes", ())):
        yield str(node["metadata"]["name"]), f"ip-10-40-{number}-{17 + number * 31}.eu-west-1.compute.internal"
    yield incident.namespace, "rail-live"


def _list_settings(incident: Incident) -> Iterator[str]:
    for container in _list_containers(incident):
        yield from (str(variable.get("value", "")) for variable in container.get("env", ()))


def _list_containers(incident: Incident) -> Iterator[dict[str, Any]]:
    for kind in ("deployments", "statefulsets", "daemonsets"):
        for one in incident.objects.get(kind, ()):
            yield from one["spec"]["template"]["spec"].get("containers", ())


def _list_ports(incident: Incident) -> set[str]:
    """List the ports that applications declare or are called at."""
    declared = {str(port.get("containerPort", "")) for one in _list_containers(incident) for port in one.get("ports", ())}
    served = {str(port.get(key, "")) for one in incident.objects.get("services", ()) for port in one["spec"].get("ports", ()) for key in
              ("port", "targetPort")}  # fmt: skip
    called = {found[2] for value in _list_settings(incident) if (found := _ADDRESS.match(value))}
    return {port for port in declared | served | called if port.isdigit() and int(port) in _OWN_PORTS}


_IMAGE = re.compile(r"\b[a-z0-9][\w.-]*\.[a-z]{2,}/(?:[\w.-]+/)*(?=[\w.-]+(?::[\w.-]+|@))")


def _change_images(text: str) -> str:
    """Put images into another project of their registry; the registry's name stays, because what it says is about that."""
    return _IMAGE.sub(lambda found: f"{found[0].partition('/')[0]}/rail/platform/", text)


def _reword(line: str) -> str:
    for pattern, other in _PHRASES:
        line = pattern.sub(other, line)
    return line


def _within(stem: str) -> str:
    """Return a pattern of a stem that begins a word, or begins one inside of CamelCase."""
    spelled = _spell(stem)
    return rf"(?:(?<![a-z]){spelled}|(?-i:{stem[0].upper()}){spelled[1:]})"


def _spell(name: str) -> str:
    """Return a pattern of a name, also written as NAME_OF_IT or NameOfIt."""
    return "[-_]?".join(map(re.escape, _flat(name))) if len(_flat(name)) > 2 * _STEM else re.escape(name)


def _flat(name: str) -> str:
    return re.sub(r"[-_]", "", name.lower())


def _like(found: str, new: str) -> str:
    """Write a new name in the case of the one that was found, and with its underscores: a label may differ by them alone."""
    if found.isupper():
        return new.upper().replace("-", "_")
    if "_" in found:
        return new.replace("-", "_")
    return "".join(map(str.title, new.split("-"))) if found[0].isupper() else new
