"""The rules' conclusions from observations that no recording shows: other causes, and chains of services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sre_agent.evidence import Answer, Excerpt
from sre_agent.observations import (
    Call,
    Change,
    Container,
    ErrorRate,
    Event,
    LogLine,
    Node,
    Observations,
    Pod,
    Trend,
    Usage,
    Workload,
)
from sre_agent.reasoners.rules.diagnose import Diagnosis, diagnose
from sre_agent.scope import Scope
from sre_core import clock

NOW = clock.now().replace(microsecond=0)
ANSWER = Answer(tool="t___op", arguments={}, at=NOW)


def ago(minutes: float) -> Any:
    return NOW - timedelta(minutes=minutes)


def seen(text: str) -> Excerpt:
    return Excerpt(ANSWER, text)


def pod(service: str, *, reason: str = "", phase: str = "Running", created: float = 600, container: Container | None = None) -> Pod:
    """A pod of a service, well unless its container says otherwise."""
    containers = (container or Container(name="main", ready=True, restarts=0),)
    ready = all(found.ready for found in containers)
    return Pod(
        namespace="n", name=f"{service}-0", service=service, phase=phase, ready=ready, created=ago(created), containers=containers,
        reason=reason, node="node-1", source=seen(f"pod {service}"),
    )  # fmt: skip


def observed(*pods: Pod, **others: Any) -> Observations:
    """These pods in a system that was looked at from all sides."""
    usual = {
        "error_rates": (ErrorRate(service="web", percent=0.0, percent_before=0.0, peak_at=None, source=seen("rate")),),
        "logs": (LogLine(at=ago(1), service="web", level="INFO", message="ok", source=seen("log")),),
    }
    return Observations(as_of=NOW, pods=pods, **{**usual, **others})


def judged(found: Observations, *, service: str = "") -> Diagnosis:
    return diagnose(found, Scope(service=service))


def waiting(reason: str, message: str = "") -> Container:
    return Container(name="main", ready=False, restarts=0, reason=reason, message=message)


SICK_NODE = Node(name="node-1", ready=False, complaints=("Ready: KubeletNotReady",), source=seen("node"))


@pytest.mark.parametrize(
    ("found", "kind", "service"),
    [
        (observed(pod("api", container=waiting("ImagePullBackOff", "not found"))), "incorrect_image_reference", "api"),
        (observed(pod("api", container=waiting("ImagePullBackOff", "it failed"))), "image_pull_failure", "api"),
        (observed(pod("api", container=waiting("CreateContainerConfigError", 'secret "x" not found'))), "missing_secret_binding", "api"),
        (observed(pod("api", container=waiting("CreateContainerConfigError", "it failed"))), "container_cannot_start", "api"),
        (observed(pod("api", phase="Pending", reason="Unschedulable", container=waiting(""))), "unschedulable", "api"),
        (observed(pod("api"), nodes=(SICK_NODE,)), "node_problem", "node-1"),
    ],
)  # fmt: skip
def test_causes_that_the_cluster_states(found: Observations, kind: str, service: str) -> None:
    """A cause that Kubernetes states itself is the one that is named."""
    cause = judged(found).cause
    assert cause
    assert (cause.kind, cause.service) == (kind, service)


def test_cpu_at_its_limit() -> None:
    """A service at its CPU limit is the cause when it also answers worse; otherwise it is only busy."""
    busy = Usage(metric="cpu", service="api", pod="api-0", last=495, highest=500, limit=500, percent_of_limit=100, source=seen("cpu"))
    slower = Trend(
        metric="latency", service="api", pod="", unit="ms", direction="rising", first=20, last=900, lowest=18, highest=950,
        slope_per_hour=800, fit=0.9, changed_at=ago(20), before=21.0, after=880.0, source=seen("latency"),
    )  # fmt: skip
    cause = judged(observed(pod("api"), usages=(busy,), trends=(slower,))).cause
    assert cause
    assert cause.kind == "cpu_saturation"
    assert judged(observed(pod("api"), usages=(busy,))).cause is None


def test_replicas_that_nobody_misses() -> None:
    """A deployment that is scaled to zero is a cause only when someone complains of it."""
    idle = Workload(namespace="n", service="batch", desired=0, available=0, settings={}, complaints=(), source=seen("batch"))
    complaint = LogLine(
        at=ago(5), service="web", level="ERROR", message="dial tcp: connect to batch:80: connection refused", source=seen("c")
    )
    assert judged(observed(pod("web"), workloads=(idle,))).verdict == "nothing_wrong"
    cause = judged(observed(pod("web"), workloads=(idle,), logs=(complaint,))).cause
    assert cause
    assert (cause.kind, cause.service) == ("deployment_zero_replicas", "batch")


def test_who_only_follows() -> None:
    """Of two services that crash, the one behind the other is the cause; the other is ruled out as a consequence."""

    def crashing(service: str, minutes: float, message: str) -> Pod:
        container = Container(
            name="main", ready=False, restarts=6, reason="CrashLoopBackOff", last_reason="Error", last_exit_code=1,
            last_finished=ago(1), last_message=message,
        )  # fmt: skip
        return pod(service, created=minutes, container=container)

    found = observed(
        crashing("web", 10, "invalid value for WEB_MODE: x"),
        crashing("store", 20, "required environment variable STORE_DSN is not set"),
        calls=(Call(service="web", peer="store", failed_percent=90, source=seen("call")),),
    )
    judgement = judged(found, service="web")
    assert judgement.cause
    assert judgement.cause.service == "store"
    assert "STORE_DSN" in judgement.cause.summary
    assert any("depends on store" in found.why for found in judgement.ruled_out)


def test_a_crash_after_a_change_that_says_nothing() -> None:
    """A change and a crash are a suspicion: without a message or a matching difference nothing is concluded."""
    container = Container(name="main", ready=False, restarts=4, reason="CrashLoopBackOff", last_exit_code=2, last_finished=ago(2))
    change = Change(service="api", at=ago(12), revision="9", differences=("image: a:1 → a:2",), source=seen("change"))
    judgement = judged(observed(pod("api", created=11, container=container), changes=(change,)))
    assert judgement.verdict == "not_enough_evidence"
    assert judgement.suspicion
    assert judgement.suspicion.missing


def test_a_wrong_port_in_a_change() -> None:
    """A connection that is refused counts as configuration when the change touched exactly that address."""
    container = Container(name="main", ready=False, restarts=4, reason="CrashLoopBackOff", last_exit_code=1, last_finished=ago(2))
    change = Change(service="api", at=ago(12), revision="9", differences=("env.CACHE: redis:6379 → redis:6380",), source=seen("change"))
    line = LogLine(
        at=ago(11), service="api", level="FATAL", message="dial tcp redis:6380: connect: connection refused", source=seen("line")
    )
    workload = Workload(namespace="n", service="api", desired=1, available=0, settings={}, complaints=(), source=seen("w"))
    found = observed(pod("api", created=11, container=container), changes=(change,), logs=(line,), workloads=(workload,))
    cause = judged(found).cause
    assert cause
    assert "redis:6380" in cause.summary


def test_a_kill_on_a_node() -> None:
    """The kernel's kill on a node belongs to the pod there that ended at that moment, and otherwise to none."""
    killed = Container(name="main", ready=True, restarts=1, last_reason="OOMKilled", last_exit_code=137, last_finished=ago(5))

    def kill(minutes: float) -> Event:
        return Event(
            at=ago(minutes), warning=True, reason="OOMKilling", kind="Node", name="node-1", service="", message="Killed process", count=1,
            source=seen(f"kill {minutes}"),
        )  # fmt: skip

    judgement = judged(observed(pod("api", container=killed), events=(kill(5), kill(50))))
    assert [signal.service for signal in judgement.signals if "Killed process" in signal.what] == ["api", "node-1"]
    assert judgement.cause is None
