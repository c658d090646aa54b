"""Causes that a log line or a course of a metric decides, judged over observations made up for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sre_agent.evidence import Answer, Argument, Excerpt
from sre_agent.observations import Change, Container, LogLine, Observations, Pod, Pulse, Trend, Usage
from sre_agent.reasoners.rules.diagnose import Diagnosis, diagnose
from sre_agent.relations import Autoscaler, Component, Denial, Exposure, Job, Mismatch, Ref, Requirements, Route, Schedule
from sre_agent.scope import Scope
from sre_agent.specialists import metrics
from sre_agent.tools import Tool
from sre_core import clock

NOW = clock.now().replace(microsecond=0)
SOURCE = Excerpt(Answer(tool="t___op", arguments={}, at=NOW), "seen")


def ref(name: str, kind: str = "Deployment") -> Ref:
    return Ref(kind=kind, namespace="n", name=name)


def pod(service: str, *, ready: bool = True, node: str = "node-1", containers: int = 1, last: str = "") -> Pod:
    """A pod; one that is not ready waits after crashes."""
    reason = "" if ready else "CrashLoopBackOff"
    return Pod(
        namespace="n", name=f"{service}-0", service=service, phase="Running", ready=ready, created=NOW - timedelta(hours=1), node=node,
        containers=tuple(
            Container(name=f"c{number}", ready=ready, restarts=0 if ready else 5, reason=reason, last_reason=last)
            for number in range(containers)
        ),
        source=SOURCE,
    )  # fmt: skip


def needs(
    service: str, *calls: str, desired: int = 1, ready: int = 1, mismatch: Mismatch | None = None, containers: int = 1
) -> Requirements:
    return Requirements(
        ref=ref(service), desired=1, ready=ready, mismatches=(mismatch,) if mismatch else (), calls=calls, nodes=("node-1",),
        waiting_pods=(), probes=(), ports=("80/TCP",), containers=containers, claims=(), image_pull_secrets=(), source=SOURCE,
    )  # fmt: skip


def exposed(service: str, endpoints: int = 1) -> Exposure:
    return Exposure(ref=ref(service, "Service"), ports={80: "80"}, mismatches=(), pods=(), ready_endpoints=endpoints, source=SOURCE)


def logged(service: str, message: str, count: int = 20) -> LogLine:
    return LogLine(at=NOW - timedelta(minutes=1), service=service, level="ERROR", message=message, count=count, source=SOURCE)


def rose(service: str, metric: str, normal: float, level: float, quantile: str = "") -> Trend:
    """A series whose level came and went."""
    return Trend(
        metric=metric, service=service, pod="", unit="u", direction="steady", first=normal, last=normal, lowest=normal, highest=level,
        slope_per_hour=0, fit=0, quantile=quantile, source=SOURCE,
        pulse=Pulse(start=NOW - timedelta(minutes=3), normal=normal, level=level),
    )  # fmt: skip


def judged(**seen: Any) -> Diagnosis:
    return diagnose(Observations(as_of=NOW, **seen), Scope())


def named(diagnosis: Diagnosis) -> tuple[str, str, str]:
    """Cause, kind and name of the object; empty where nothing is concluded."""
    cause = diagnosis.cause
    return (cause.kind, cause.object.kind, cause.object.name) if cause and cause.object else ("", "", "")


SHOP = {
    "pods": (pod("till"), pod("till-mysql"), pod("web")),
    "requirements": (needs("till", "till-mysql"), needs("till-mysql"), needs("web", "till")),
    "exposures": (exposed("till"), exposed("till-mysql"), exposed("web")),
}


@pytest.mark.parametrize(
    ("message", "cause", "at"),
    [
        ("java.sql.SQLException: Access denied for user 'ts'@'10.1.0.7' (using password: YES)", "mysql_invalid_credentials", "till"),
        ("CommunicationsException: Communications link failure\nConnectException: Connection refused", "mysql_invalid_port", "till"),
        ("SQLException: The MySQL server is running with the --read-only option", "db_readonly_mode", "till-mysql"),
        ('message from server: "Too many connections"', "db_connection_exhaustion", "till-mysql"),
    ],
)
def test_what_a_database_refuses(message: str, cause: str, at: str) -> None:
    """A wrong setting is the fault of the service that has it; a database that refuses everybody is at fault itself."""
    assert named(judged(**SHOP, logs=(logged("till", message),))) == (cause, "Deployment", at)


def test_a_name_that_cannot_be_resolved() -> None:
    """A Service of this name is there, so names are what fails: at the one that complains, and never with high confidence."""
    found = judged(**SHOP, logs=(logged("web", "java.net.UnknownHostException: till: Temporary failure in name resolution"),))
    assert named(found) == ("service_dns_resolution_failure", "Deployment", "web")
    assert found.cause
    assert found.cause.score < 0.8


def test_two_containers_that_want_one_port() -> None:
    """The second one says so, in a pod of several containers that does not get ready."""
    pods = (pod("till", ready=False, containers=2), pod("web"))
    found = judged(pods=pods, requirements=(needs("till", ready=0, containers=2),), logs=(logged("till", "Port 8080 was already in use."),))
    assert named(found) == ("service_sidecar_port_conflict", "Deployment", "till")


def test_an_address_that_no_service_has() -> None:
    """An environment that names a missing Service is a cause where the log complains of it, and only then."""
    wrong = Mismatch(relation="envHost", message="STORE_ADDR names Service stoer, which does not exist", object=ref("stoer", "Service"))
    shop = {**SHOP, "requirements": (needs("till", "stoer", mismatch=wrong),)}
    line = logged("till", "dial tcp: lookup stoer on 10.0.0.10:53: no such host")
    assert named(judged(**shop, logs=(line,))) == ("service_env_var_address_mismatch", "Deployment", "till")
    assert judged(**shop).cause is None
    # Not the caller is wrong where the workload of that name is there, also where the list that has it was cut.
    there = replace(wrong, message="STORE_ADDR names Service stoer, which does not exist, although a workload of this name does")
    assert judged(**{**SHOP, "requirements": (needs("till", "stoer", mismatch=there),)}, logs=(line,)).cause is None


def test_a_cpu_that_is_busy_for_no_request() -> None:
    """CPU and latency that rose without requests are an overload; with as many more requests they are load."""
    trends = (rose("till", "cpu", 30, 190), rose("till", "latency", 5, 70, "0.95"), rose("web", "latency", 20, 90, "0.95"))
    assert named(judged(**SHOP, trends=trends)) == ("pod_cpu_overload", "Deployment", "till")
    assert named(judged(**SHOP, trends=(*trends, rose("till", "throughput", 10, 60))))[0] != "pod_cpu_overload"


def test_a_network_that_is_slow() -> None:
    """The slow service that calls no other slow one; two that don't call one another and share a node are the node's."""
    chain = (rose("till", "latency", 5, 900, "0.5"), rose("web", "latency", 20, 2000, "0.5"))
    assert named(judged(**SHOP, trends=chain)) == ("pod_network_delay", "Deployment", "till")
    shop = {
        "pods": (pod("web", node="node-2"), pod("till"), pod("cart"), pod("ads", node="node-2")),
        "requirements": (needs("web", "till", "cart", "ads"), needs("till"), needs("cart"), needs("ads")),
    }
    both = (*chain, rose("cart", "latency", 3, 700, "0.5"))
    assert named(judged(**shop, trends=both)) == ("node_network_delay", "Node", "node-1")
    # Of a large system the places of some are not known.
    unseen = {**shop, "requirements": (*shop["requirements"], replace(needs("jobs"), nodes=()))}
    assert named(judged(**unseen, trends=(*both, rose("jobs", "latency", 3, 900, "0.5")))) == ("node_network_delay", "Node", "node-1")


@pytest.mark.parametrize(
    ("changed", "minutes", "cause"),
    [("ads", 12, "pod_network_delay"), ("till", 1, "pod_network_delay"), ("till", 12, "")],
    ids=["another service", "after it began", "before it began"],
)
def test_a_change_and_a_network_that_is_slow(changed: str, minutes: int, cause: str) -> None:
    """A change explains what became slow after it, there and at those that call it, and nothing else."""
    change = Change(service=changed, at=NOW - timedelta(minutes=minutes), revision="2", differences=("image",), source=SOURCE)
    slow = (rose("till", "latency", 5, 900, "0.5"), rose("web", "latency", 20, 2000, "0.5"), rose("ads", "latency", 5, 60, "0.95"))
    shop = {**SHOP, "requirements": (needs("web", "till", "ads"), needs("till"), needs("ads"))}
    slow = slow if changed == "ads" else slow[:2]
    assert named(judged(**shop, trends=slow, changes=(change,)))[0] == cause


def test_packets_that_are_sent_again() -> None:
    """The node that sends far more packets again than the others loses them."""
    slow = rose("web", "latency", 20, 200, "0.5")
    found = judged(**SHOP, trends=(slow, rose("node-1", "retransmissions", 0.01, 8.5), rose("node-2", "retransmissions", 0.01, 2.1)))
    assert named(found) == ("node_network_packet_loss", "Node", "node-1")


def test_a_component_that_does_not_run() -> None:
    """It explains the pods of its node, in any state."""
    down = Component(node="node-1", component="kubelet", running=False, state="inactive (dead)", since=None, source=SOURCE)
    found = judged(pods=(pod("till", ready=False), pod("web")), components=(down,))
    assert named(found) == ("kubelet_unavailable", "Node", "node-1")


def test_two_causes_at_once() -> None:
    """Both are named: the stronger one first, the other one because it does not follow from it."""
    wrong = Mismatch(relation="selector", message="selector app=x matches no pod", object=ref("web-0", "Pod"))
    shop = {**SHOP, "exposures": (exposed("till"), exposed("till-mysql"), Exposure(
        ref=ref("web", "Service"), ports={}, mismatches=(wrong,), pods=(), ready_endpoints=0, source=SOURCE))}  # fmt: skip
    found = judged(**shop, logs=(logged("till", "Access denied for user 'ts'@'10.1.0.7'"),))
    assert {named(found)[0], *(other.kind for other in found.others)} == {"mysql_invalid_credentials", "service_selector_mismatch"}


def scaled(*, limited: bool = False, unknown: tuple[str, ...] = ()) -> Autoscaler:
    return Autoscaler(
        ref=ref("till", "HorizontalPodAutoscaler"), target=ref("till"), replicas=4, limited=limited, unknown_metrics=unknown,
        complaints=(), source=SOURCE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("autoscaler", "cause"),
    [
        (scaled(limited=True), "autoscaler_at_maximum"),
        (scaled(unknown=("cpu",)), "autoscaler_without_metrics"),
        (scaled(), ""),
    ],
)
def test_an_autoscaler_that_can_not_help(autoscaler: Autoscaler, cause: str) -> None:
    """It is the cause where its workload is at its limit, and none where that is well."""
    usage = Usage(
        metric="cpu", service="till", pod="till-0", last=980, highest=990, limit=1000, percent_of_limit=99, source=SOURCE
    )  # fmt: skip
    assert named(judged(**SHOP, autoscalers=(autoscaler,), usages=(usage,)))[0] == cause
    assert judged(**SHOP, autoscalers=(autoscaler,)).cause is None


def job(*, failed: bool = True, ended: timedelta = timedelta(minutes=5)) -> Job:
    return Job(
        ref=ref("export-1", "Job"), owner="export", failed=failed, reason="DeadlineExceeded", message="", ended=NOW - ended, source=SOURCE
    )


def schedule(*, missed: int = 0, succeeded: timedelta | None = None) -> Schedule:
    at = NOW - succeeded if succeeded else None
    return Schedule(ref=ref("export", "CronJob"), missed=missed, since=NOW, succeeded=at, mismatches=(), source=SOURCE)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"jobs": (job(),)}, ("job_failed", "Job", "export-1")),
        ({"jobs": (job(failed=False),)}, ("", "", "")),
        ({"jobs": (job(ended=timedelta(days=2)),)}, ("", "", "")),
        ({"jobs": (job(),), "schedules": (schedule(succeeded=timedelta(minutes=1)),)}, ("", "", "")),
        ({"jobs": (job(),), "schedules": (schedule(succeeded=timedelta(days=1)),)}, ("job_failed", "Job", "export-1")),
        ({"schedules": (schedule(missed=3),)}, ("cron_schedule_missed", "CronJob", "export")),
        ({"schedules": (schedule(missed=1),)}, ("", "", "")),
    ],
    ids=["failed", "well", "long ago", "succeeded since", "succeeded before", "missed", "late"],
)
def test_what_runs_to_an_end(seen: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """A failure counts while it is new and no later run has made up for it; a single late run does not."""
    assert named(judged(**SHOP, **seen)) == expected


def test_a_connection_that_a_policy_denies() -> None:
    """Denying is what policies are for: it is a fault where the workload complains of it, also of names that it can't look up."""
    policy = ref("quiet", "NetworkPolicy")
    to_till = Denial(policy=policy, direction="ingress", origin=ref("web"), destination=ref("till", "Service"), port=80, source=SOURCE)
    dns = Denial(policy=policy, direction="egress", origin=ref("web"), destination=ref("kube-dns", "Service"), port=53, source=SOURCE)
    refused = logged("web", "POST http://till:80/pay: dial tcp 10.0.0.7:80: i/o timeout")
    unresolved = logged("web", "dial tcp: lookup till: Temporary failure in name resolution")
    assert judged(**SHOP, denials=(to_till, dns)).cause is None
    assert named(judged(**SHOP, denials=(to_till,), logs=(refused,))) == ("network_policy_denied", "NetworkPolicy", "quiet")
    assert named(judged(**SHOP, denials=(dns,), logs=(unresolved,))) == ("network_policy_denied", "NetworkPolicy", "quiet")


@pytest.mark.parametrize(("relation", "cause"), [("backendService", "route_backend_missing"), ("backendEndpoints", "")])
def test_a_route_that_leads_nowhere(relation: str, cause: str) -> None:
    """A Service that is not there is the route's fault; one without ready pods has another reason."""
    wrong = Mismatch(relation=relation, message="Service tlil does not exist; the nearest is till", object=ref("tlil", "Service"))
    assert named(judged(**SHOP, routes=(Route(ref=ref("shop", "Ingress"), mismatches=(wrong,), source=SOURCE),)))[0] == cause


class Pages:
    """Has one page after the first of what is not steady, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Argument]] = []

    def offered(self) -> Mapping[str, Tool]:
        return {"analyze_trends": Tool(name="analyze_trends", description="", schema={"properties": {"cursor": {}}})}

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        self.asked.append(arguments)
        items = [{"metric": "cpu", "service": name, "pulse": {"normal": 8, "level": 149}} for name in ("till", "web")]
        return Answer(tool=operation, arguments=arguments, at=NOW, data={"items": items})


def test_what_was_cut_of_a_large_system() -> None:
    """Where nothing is suspected the list is read on, where something is slow its own series are read; none is taken twice."""
    tools = Pages()
    first = Answer(tool="metrics___analyze_trends", arguments={"time_window": "2h"}, at=NOW, truncated=True, data={"cursor": "41"})
    known = (rose("web", "cpu", 8, 149),)
    found = asyncio.run(metrics.observe_further_trends(tools, (first,), known))
    assert [trend.service for trend in found.trends] == ["till"]
    asyncio.run(metrics.observe_trends(tools, Scope(), "till", ()))
    assert [(asked.get("cursor"), asked.get("service")) for asked in tools.asked] == [("41", None), (None, "till")]
