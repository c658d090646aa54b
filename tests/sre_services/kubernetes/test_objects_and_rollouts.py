"""Kubernetes' JSON, as far as providers meet it."""

from __future__ import annotations

from typing import Any

import pytest

from sre_core.redaction import HIDDEN, redact_setting
from sre_services.kubernetes import objects
from sre_services.kubernetes.rollouts import References, compare_settings, flatten_template, parse_deployment


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", 0.5),
        ("2", 2),
        ("1.5", 1.5),
        ("194675Ki", 194675 * 1024),
        ("512Mi", 2**29),
        ("1Gi", 2**30),
        ("250000000n", 0.25),
        ("5k", 5000),
        ("1e3", 1000),
        ("2E", 2e18),
    ],
)
def test_a_quantity(text: str, number: float) -> None:
    """All of Kubernetes' suffixes are understood."""
    assert objects.parse_quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "Mi", "5Q", "five", "5 Mi"])
def test_what_is_no_quantity(text: str) -> None:
    """It is refused, not guessed."""
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        objects.parse_quantity(text)


def test_an_event_of_the_newer_api() -> None:
    """events.k8s.io/v1 has a series, a note and what it regards."""
    event = objects.parse_event(
        {
            "metadata": {"namespace": "n", "creationTimestamp": "2026-11-20T10:00:00Z"},
            "regarding": {"kind": "Pod", "name": "p", "namespace": "n"},
            "note": "it broke",
            "series": {"count": 7, "lastObservedTime": "2026-11-20T10:05:00.000000Z"},
            "eventTime": "2026-11-20T10:01:00.000000Z",
            "reportingComponent": "kubelet",
        }
    )
    assert (event.object, event.message, event.count, event.source) == ("Pod/p", "it broke", 7, "kubelet")
    assert event.last_timestamp.minute == 5


def test_a_pod_that_waits_to_be_scheduled() -> None:
    """It has no container statuses yet: the containers are there, not ready, with no state."""
    pod = objects.parse_pod(
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Pending"}}
    )
    assert (pod.ready, pod.restarts, pod.containers[0].state) == (False, 0, None)


def test_a_pod_that_has_finished() -> None:
    """A job's pod that succeeded is not something unready."""
    assert objects.parse_pod({"metadata": {"name": "p"}, "status": {"phase": "Succeeded"}}).ready


def test_taints_and_cordon() -> None:
    """A node says whether it takes pods."""
    node = objects.parse_node(
        {"metadata": {"name": "n"}, "spec": {"unschedulable": True, "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}}, 0, {}
    )
    assert (node.unschedulable, node.taints, node.ready) == (True, ("k=v:NoSchedule",), False)


def template(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "image": "i:1", **container}]}}


def replica_set(number: int, pod_template: dict[str, Any]) -> dict[str, Any]:
    owner = {"kind": "Deployment", "name": "d"}
    annotations = {"deployment.kubernetes.io/revision": str(number), "kubernetes.io/change-cause": f"cause {number}"}
    metadata = {"name": f"d-{number}", "namespace": "n", "ownerReferences": [owner], "annotations": annotations}
    return {"metadata": metadata, "spec": {"replicas": 1, "template": pod_template}}


def test_revisions_and_their_differences() -> None:
    """Each revision is compared with the one before it, by number and not by the order of the list."""
    old, new = template(env=[{"name": "A", "value": "1"}]), template(env=[{"name": "A", "value": "2"}], args=["-v"])
    document = {"metadata": {"name": "d", "namespace": "n"}, "spec": {"template": new}}
    stranger = {
        **replica_set(9, new),
        "metadata": {"name": "e-9", "namespace": "n", "ownerReferences": [{"kind": "Deployment", "name": "e"}]},
    }
    found = parse_deployment(document, (replica_set(2, old), stranger, replica_set(10, new)), References())
    assert [revision.revision for revision in found.revisions] == [10, 2]
    assert [(change.path, change.before, change.after) for change in found.revisions[0].changes] == [
        ("containers.c.args", "", '["-v"]'),
        ("containers.c.env.A", "1", "2"),
    ]
    assert (found.revisions[0].compared_with, found.revisions[1].compared_with) == (2, None)
    assert found.revisions[0].change_cause == "cause 10"
    assert found.unknown_hosts == ()


def test_the_configuration_behind_a_reference() -> None:
    """The values of a ConfigMap count as the container's environment, so a changed value shows itself."""
    around = References(config_maps={("n", "cfg-bcdf2456gh"): {"HOST": "a"}, ("n", "cfg-zxwv9876bc"): {"HOST": "b"}})
    old, new = (
        flatten_template(template(envFrom=[{"configMapRef": {"name": name}}]), "n", around) for name in ("cfg-bcdf2456gh", "cfg-zxwv9876bc")
    )
    assert [change.path for change in compare_settings(old, new)] == ["containers.c.env.HOST", "containers.c.envFrom.configMap/cfg"]


def test_values_that_look_secret() -> None:
    """A value is hidden by its name, a password in a URL by its place; a change of it is still reported."""
    assert redact_setting("API_TOKEN", "abc") == HIDDEN
    assert redact_setting("DB_URL", "postgres://app:hunter2@db:5432/x") == "postgres://app:***@db:5432/x"
    assert redact_setting("args", '["--db-password=hunter2","-v"]') == '["--db-password=***","-v"]'
    (change,) = compare_settings({"env.DB_PASSWORD": "one"}, {"env.DB_PASSWORD": "two"})
    assert (change.before, change.after) == (HIDDEN, HIDDEN)


def test_where_a_value_comes_from() -> None:
    """References are named by kind, object and key; the values of secrets are never read."""
    env = [
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    pod_template = template(env=env, envFrom=[{"secretRef": {"name": "all"}}])
    found = parse_deployment({"metadata": {"name": "d"}, "spec": {"template": pod_template}}, (), References())
    assert [variable.value_from for variable in found.containers[0].env] == ["secret/s:k", "field/metadata.name"]
    assert found.containers[0].config_references == ("secret/all",)


def test_hosts_that_no_service_has() -> None:
    """A cluster host in the configuration is compared with the Services; other hosts are none of its business."""
    env = [
        {"name": "A", "value": "http://here.n.svc.cluster.local:80"},
        {"name": "B", "value": "gone.m.svc"},
        {"name": "C", "value": "example.com"},
    ]
    document = {"metadata": {"name": "d", "namespace": "n"}, "spec": {"template": template(env=env)}}
    found = parse_deployment(document, (), References(services=frozenset({("n", "here")})))
    assert found.unknown_hosts == ("containers.c.env.B: no Service gone in namespace m",)
