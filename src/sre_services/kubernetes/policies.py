"""NetworkPolicies: the pods that each selects, and the connections of workloads that no rule for their pods allows.

Only connections that a workload's configuration names are known. Where it is uncertain if a rule fits, it is taken to allow.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sre_services.kubernetes.model import Ref
from sre_services.kubernetes.objects import Json, key_of
from sre_services.kubernetes.references import Known, Target, named_services
from sre_services.kubernetes.scheduling import matches_selector
from sre_services.kubernetes.traffic_model import Denial, Policy
from sre_services.kubernetes.workloads import labels_of, template_of

_NAME_LABEL = "kubernetes.io/metadata.name"
_DNS_PORT = 53
_DNS = Ref(kind="Service", namespace="kube-system", name="kube-dns")
_SIDES = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


@dataclass(frozen=True)
class Party:
    """One side of a connection: the pods of a workload, with the ports that their containers declare, by name."""

    ref: Ref
    labels: Mapping[str, str]
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Attempt:
    """A connection that the configuration of a workload names."""

    source: Party
    destination: Party
    service: Ref
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Network:
    """The objects that policies are checked against: workloads with their kinds, Services, and the labels of namespaces."""

    workloads: Sequence[tuple[str, Json]]
    services: Sequence[Json]
    namespaces: Mapping[str, Mapping[str, str]]

    def labels_of(self, namespace: str) -> Mapping[str, str]:
        """Return the labels of a namespace; its name is always among them."""
        return {_NAME_LABEL: namespace, **self.namespaces.get(namespace, {})}


def parse_policy(document: Json) -> Policy:
    """Parse a `networking.k8s.io/v1` NetworkPolicy, without its relations."""
    namespace, name = key_of(document)
    spec = document.get("spec") or {}
    return Policy(
        name=name,
        namespace=namespace,
        selector=_text_selector(spec.get("podSelector") or {}) or "all pods",
        denies_all=tuple(side for side in _sides(spec) if not spec.get(_SIDES[side][0])),
        allows=tuple(_text_rule(side, rule) for side in _sides(spec) for rule in spec.get(_SIDES[side][0]) or ()),
    )


def join_policies(policies: Sequence[Json], network: Network, known: Known, pods: Sequence[Json]) -> Iterator[Policy]:
    """Add to each policy the pods that it selects, and the known connections that it denies."""
    # Several variables may name one connection.
    denials = list(dict.fromkeys(_list_denials(policies, network, known)))
    for document in policies:
        found = parse_policy(document)
        name = f"{found.namespace}/{found.name}"
        own = [pod for pod in pods if key_of(pod)[0] == found.namespace and _selects(document, pod["metadata"].get("labels") or {})]
        denies = tuple(denial for denial in denials if name in denial.denied_by)
        yield replace(found, denies=denies, pods=tuple(key_of(pod)[1] for pod in own))


def _list_denials(policies: Sequence[Json], network: Network, known: Known) -> Iterator[Denial]:
    """Yield each known connection that policies deny on one side, and DNS where names are needed and no rule allows it."""
    parties = [_party(kind, document) for kind, document in network.workloads]
    near: dict[str, list[Party]] = defaultdict(list)
    for party in parties:
        near[party.ref.namespace].append(party)
    services = {key_of(found): found["spec"] for found in network.services}
    for party, (_, document) in zip(parties, network.workloads, strict=True):
        attempts = [
            attempt
            for target in named_services(template_of(document), party.ref.namespace, known)
            for attempt in _list_attempts(party, target, near[target.namespace], services.get((target.namespace, target.name)) or {})
        ]
        yield from (denial for attempt in attempts for denial in _check_attempt(attempt, policies, network))
        isolating = _isolating(policies, party, "Egress")
        if attempts and isolating and not any(_allows_dns(rule) for found in isolating for rule in found["spec"].get("egress") or ()):
            yield Denial(direction="egress", source=party.ref, destination=_DNS, port=_DNS_PORT, denied_by=_name_all(isolating))


def _list_attempts(source: Party, target: Target, parties: Sequence[Party], service_spec: Json) -> Iterator[Attempt]:
    """Yield the connections from a workload to the pods of a Service that its environment names."""
    service = Ref(kind="Service", namespace=target.namespace, name=target.name)
    for destination in parties:
        for port in (service_spec.get("ports") or ()) if _is_behind(destination, service_spec) else ():
            number = _number(port.get("targetPort", port["port"]), destination)
            if number and target.port in {None, port["port"]}:
                yield Attempt(source, destination, service, number, port.get("protocol", "TCP"))


def _check_attempt(attempt: Attempt, policies: Sequence[Json], network: Network) -> Iterator[Denial]:
    """Yield the sides on which policies select the pods and none of their rules fits."""
    for side, own, other in (("Egress", attempt.source, attempt.destination), ("Ingress", attempt.destination, attempt.source)):
        isolating, (key, peers) = _isolating(policies, own, side), _SIDES[side]
        allowed = any(
            _fits_peers(rule.get(peers), other, own.ref.namespace, network) and _fits_ports(rule.get("ports"), attempt)
            for policy in isolating
            for rule in policy["spec"].get(key) or ()
        )
        if isolating and not allowed:
            yield Denial(
                direction=key, source=attempt.source.ref, destination=attempt.service, port=attempt.port, denied_by=_name_all(isolating)
            )


def _isolating(policies: Sequence[Json], party: Party, side: str) -> list[Json]:
    """List the policies that restrict one direction of a workload's pods."""
    here = (policy for policy in policies if key_of(policy)[0] == party.ref.namespace)
    return [policy for policy in here if side in _sides(policy.get("spec") or {}) and _selects(policy, party.labels)]


def _fits_peers(peers: Sequence[Json] | None, other: Party, namespace: str, network: Network) -> bool:
    """Return True if a rule's peers include the other side; no peers are all of them, and addresses may be its own."""
    return not peers or any("ipBlock" in peer or _fits_peer(peer, other, namespace, network) for peer in peers)


def _fits_peer(peer: Json, other: Party, namespace: str, network: Network) -> bool:
    spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    near = other.ref.namespace == namespace if spaces is None else matches_selector(spaces, network.labels_of(other.ref.namespace))
    return near and (pods is None or matches_selector(pods, other.labels))


def _fits_ports(ports: Sequence[Json] | None, attempt: Attempt) -> bool:
    return not ports or any(_fits_port(port, attempt) for port in ports)


def _fits_port(port: Json, attempt: Attempt) -> bool:
    if port.get("protocol", "TCP") != attempt.protocol:
        return False
    first = _number(port["port"], attempt.destination) if "port" in port else attempt.port
    return first <= attempt.port <= (port.get("endPort") or first)


def _allows_dns(rule: Json) -> bool:
    """Return True where a rule lets port 53 out to another namespace, or to addresses."""
    peers, ports = rule.get("to"), rule.get("ports")
    by_port = not ports or any(
        port.get("protocol", "TCP") == "UDP" and _covers(port, _DNS_PORT) for port in ports
    )  # fmt: skip
    return by_port and (not peers or any("ipBlock" in peer or "namespaceSelector" in peer for peer in peers))


def _covers(port: Json, number: int) -> bool:
    first = port.get("port", number)
    return first == "dns" or (isinstance(first, int) and first <= number <= (port.get("endPort") or first))


def _party(kind: str, document: Json) -> Party:
    namespace, name = key_of(document)
    containers = template_of(document).get("containers") or ()
    ports = {port["name"]: int(port["containerPort"]) for found in containers for port in found.get("ports") or () if port.get("name")}
    return Party(Ref(kind=kind, namespace=namespace, name=name), labels_of(document), ports)


def _is_behind(party: Party, service_spec: Json) -> bool:
    selector = service_spec.get("selector") or {}
    return bool(selector) and matches_selector({"matchLabels": selector}, party.labels)


def _number(port: object, party: Party) -> int:
    """Return the number of a port that may be a name; 0 where the name is unknown."""
    text = str(port)
    return int(text) if text.isdigit() else party.ports.get(text, 0)


def _sides(spec: Json) -> tuple[str, ...]:
    """Return the directions that a policy restricts: a policy that does not say restricts Ingress, and what it has rules for."""
    types = spec.get("policyTypes") or ("Ingress", *(("Egress",) if spec.get("egress") else ()))
    return tuple(side for side in _SIDES if side in types)


def _selects(policy: Json, labels: Mapping[str, str]) -> bool:
    return matches_selector((policy.get("spec") or {}).get("podSelector") or {}, labels)


def _name_all(policies: Sequence[Json]) -> tuple[str, ...]:
    return tuple("/".join(key_of(policy)) for policy in policies)


def _text_rule(side: str, rule: Json) -> str:
    key, peers = _SIDES[side]
    places = " or ".join(_text_peer(peer) for peer in rule.get(peers) or ()) or "anywhere"
    ports = ", ".join(_text_port(port) for port in rule.get("ports") or ()) or "any port"
    return f"{key} {peers} {places} on {ports}"


def _text_peer(peer: Json) -> str:
    if "ipBlock" in peer:
        without = peer["ipBlock"].get("except") or ()
        return f"{peer['ipBlock'].get('cidr', '')}{f' without {", ".join(without)}' if without else ''}"
    pods = _text_selector(peer.get("podSelector") or {}) or "all pods"
    if "namespaceSelector" not in peer:
        return pods
    return f"{pods} in namespaces {_text_selector(peer['namespaceSelector'] or {}) or 'of any kind'}"


def _text_port(port: Json) -> str:
    last = f"-{port['endPort']}" if port.get("endPort") else ""
    return f"{port.get('port', 'any port')}{last}/{port.get('protocol', 'TCP')}"


def _text_selector(selector: Json) -> str:
    """Write a selector as kubectl does."""
    labels = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    expressions = [
        f"{found['key']} {found.get('operator', 'In')} ({', '.join(map(str, found.get('values') or ()))})"
        for found in selector.get("matchExpressions") or ()
    ]
    return ",".join([*labels, *expressions])
