"""The model of traffic: routes from outside to Services, and what network policies allow and deny."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre_services.answer import Camel
from sre_services.kubernetes.model import Mismatch, Observed, Ref


@dataclass(frozen=True, kw_only=True)
class RouteRule(Camel):
    """One rule of a route: the requests of this host and path go to a port of a Service."""

    host: str = ""
    path: str = ""
    service: Ref
    port: str = ""


@dataclass(frozen=True, kw_only=True)
class Route(Observed):
    """An Ingress or an HTTPRoute. `via` is the class of an Ingress, or the Gateways of an HTTPRoute."""

    kind: str
    name: str
    namespace: str
    mismatches: Sequence[Mismatch] = ()
    via: Sequence[str] = ()
    addresses: Sequence[str] = ()
    rules: Sequence[RouteRule] = ()


@dataclass(frozen=True, kw_only=True)
class Denial(Camel):
    """A connection that a workload's configuration asks for and that policies deny; `direction` is the one that no rule allows."""

    direction: str
    source: Ref
    destination: Ref
    port: int | None = None
    denied_by: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Policy(Observed):
    """A NetworkPolicy: the pods that it selects, what its rules allow, and known connections that no policy of those pods allows."""

    name: str
    namespace: str
    selector: str
    denies: Sequence[Denial] = ()
    denies_all: Sequence[str] = ()
    allows: Sequence[str] = ()
    pods: Sequence[str] = ()
