"""A cluster by its API server: who we are, what we may, and what is asked of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lightkube.config.models import UserExec
from starlette.testclient import TestClient

from fixtures.kubernetes_api import Cluster, reader_rules, served
from sre_core import clock
from sre_core.problem import Refused
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.cli import main
from sre_services.kubernetes.api.plugin import run_plugin
from sre_services.kubernetes.cluster import PARSERS
from sre_services.kubernetes.resources import RESOURCES
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from ..conftest import KEY

OPERATIONS = {
    "kubernetes": [
        "/pods/status",
        "/deployments/status",
        "/services/status",
        "/events",
        "/resources/usage",
        "/nodes/status",
        "/jobs/status",
        "/autoscalers/status",
        "/limits/status",
        "/routes/status",
        "/connectivity/status",
    ],
    "logs": ["/logs/errors", "/logs/recent", "/logs/counts", "/logs/patterns", "/logs/search"],
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    recording = open_recording("crash-loop", clock.now() - timedelta(minutes=1))
    assert isinstance(recording, Recording)
    with served(Cluster(recording), tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """The server, with what one test changed put back."""
    shared.rules, shared.made, shared.largest_part, shared.tokens = reader_rules(), set(), 0, {}
    return shared


@pytest.fixture
def service(cluster: Cluster, tmp_path: Path) -> Callable[..., TestClient]:
    """service("kubernetes", user): a service over the cluster, as this user of a kubeconfig."""

    def made(name: str, user: dict[str, Any], **settings: str) -> TestClient:
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig(user))
        sources = json.dumps([{"source": "kubeconfig", "kubeconfig": "kubeconfig", **settings}])
        provider = open_provider(name, {"SRE_SOURCES": sources, "CREDENTIALS_DIRECTORY": str(tmp_path)})
        return TestClient(build_app(Api.of(name), provider, Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)

    return made


def plugin(tmp_path: Path, script: str) -> dict[str, Any]:
    """A user of a kubeconfig whose token a program gives."""
    program = tmp_path / "give-token"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}}


def test_as_a_certificate(cluster: Cluster, service: Callable[..., TestClient]) -> None:
    """The key of the kubeconfig proves who we are."""
    client = service("kubernetes", cluster.client_certificate())
    assert client.get("/health").json() == {"status": "ok", "service": "kubernetes", "sources": {"kubeconfig": {"status": "ok"}}}
    assert client.get("/pods/status").json()["total"] > 10


def test_as_a_token(cluster: Cluster, service: Callable[..., TestClient]) -> None:
    """A token in the kubeconfig is sent."""
    assert service("kubernetes", {"token": cluster.new_token()}).get("/nodes/status").json()["total"] == 3


def test_as_an_exec_plugin(cluster: Cluster, service: Callable[..., TestClient], tmp_path: Path) -> None:
    """The plugin is run once, with the form of the request, and run again when its token is no longer accepted."""
    (tmp_path / "token").write_text(cluster.new_token())
    script = f'echo "$KUBERNETES_EXEC_INFO" >>{tmp_path}/runs; printf \'{{"status": {{"token": "%s"}}}}\' "$(cat {tmp_path}/token)"'
    client = service("kubernetes", plugin(tmp_path, script))
    assert client.get("/deployments/status").json()["total"]
    runs = [json.loads(line) for line in (tmp_path / "runs").read_text().splitlines()]
    assert [(run["apiVersion"], run["kind"]) for run in runs] == [("client.authentication.k8s.io/v1", "ExecCredential")]
    cluster.tokens.clear()
    (tmp_path / "token").write_text(cluster.new_token())
    assert client.get("/nodes/status").json()["total"] == 3
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


def test_a_plugin_that_fails(service: Callable[..., TestClient], tmp_path: Path) -> None:
    """Its error output is passed on."""
    client = service("kubernetes", plugin(tmp_path, "echo 'the login has expired' >&2; exit 3"))
    error = client.get("/pods/status").json()["error"]
    assert error["code"] == "SVC-KUBECONFIG-PLUGIN"
    assert "ended with 3: the login has expired" in error["message"]


def test_a_plugin_that_does_not_end(tmp_path: Path) -> None:
    """It is ended with what it started."""
    os.mkfifo(tmp_path / "alive")
    with os.fdopen(os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)) as alive:
        slow = plugin(tmp_path, f"(echo started; sleep 600) >{tmp_path}/alive & wait")["exec"]
        with pytest.raises(Refused, match="gave no credential"):
            asyncio.run(run_plugin(UserExec(slow["apiVersion"], slow["command"]), seconds=1))
        os.set_blocking(alive.fileno(), True)
        assert alive.read() == "started\n"


def test_a_token_that_has_expired(service: Callable[..., TestClient]) -> None:
    """It is a Problem, also at the health path."""
    client = service("kubernetes", {"token": "of yesterday"})
    assert client.get("/health").json()["sources"]["kubeconfig"] == {"status": "failed", "code": "SVC-SOURCE-CREDENTIAL"}
    answer = client.get("/pods/status")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SVC-SOURCE-CREDENTIAL")
    assert "of yesterday" not in answer.text


def test_what_is_asked_is_what_the_manifest_allows(
    cluster: Cluster, service: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the manifest's rules everything is answered; every request is among them, and every rule is used. Secrets are in none."""
    user = cluster.client_certificate()
    for name, paths in OPERATIONS.items():
        client = service(name, user, namespace="shop")
        assert client.get("/health").json()["status"] == "ok"
        assert {client.get(path).status_code for path in paths} == {200}
    assert main(["rbac"]) == 0
    printed = json.loads(capsys.readouterr().out)
    [role] = [item for item in printed["items"] if item["kind"] == "ClusterRole"]
    rules = role["rules"]
    allowed = {(verb, group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"] for verb in rule["verbs"]}
    assert cluster.made == allowed
    assert {verb for verb, _, _ in allowed} == {"list", "get"}
    assert not {name for _, _, name in allowed if "secret" in name or "exec" in name or "portforward" in name or "*" in name}


def test_without_what_is_optional(cluster: Cluster, service: Callable[..., TestClient]) -> None:
    """A cluster whose ConfigMaps and metrics we may not read is answered from the rest."""
    needed = {(each.group, each.name) for each in RESOURCES.values() if not each.optional}
    cluster.rules = [
        {**rule, "resources": [name for name in rule["resources"] if (rule["apiGroups"][0], name) in needed]} for rule in reader_rules()
    ]
    client = service("kubernetes", cluster.client_certificate())
    assert {client.get(path).status_code for path in OPERATIONS["kubernetes"]} == {200}


def test_a_long_list(cluster: Cluster, service: Callable[..., TestClient]) -> None:
    """It comes in parts, and none is missing."""
    cluster.largest_part = 3
    assert service("kubernetes", cluster.client_certificate()).get("/pods/status").json()["total"] == len(
        [item for item in cluster.objects["pods"] if item["metadata"]["namespace"] == "shop"]
    )


@pytest.mark.parametrize("namespace", ["default/services/http:svc:80/proxy", "..", "a?b", "a%2Fb"])
def test_a_namespace_that_is_a_path(cluster: Cluster, service: Callable[..., TestClient], namespace: str) -> None:
    """It is refused, and any namespace is one part of the requested path."""
    client = service("kubernetes", cluster.client_certificate())
    cluster.made.clear()
    assert client.get("/pods/status", params={"namespace": namespace}).status_code == 400
    assert not cluster.made
    assert RESOURCES["pods"].path(namespace).count("/") == 5


def test_every_kind_is_read() -> None:
    """The kinds behind the answers are listed, but for Secrets, and kinds that no API has."""
    assert set(PARSERS) - set(RESOURCES) <= {"secrets", "nodecomponents"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{]", "It is not YAML"),
        ("- a list", "It is not a YAML mapping"),
        (json.dumps({"clusters": [], "contexts": []}), "No current context set"),
        (json.dumps({"clusters": [], "contexts": [{"name": "x", "context": {"cluster": "gone"}}], "current-context": "x"}), "gone"),
    ],
)
def test_a_kubeconfig_that_can_not_be_used(tmp_path: Path, text: str, why: str) -> None:
    """The service does not start, and says what is wrong with it."""
    (tmp_path / "kubeconfig").write_text(text)
    sources = json.dumps([{"source": "kubeconfig", "kubeconfig": "kubeconfig"}])
    with pytest.raises(Refused) as refused:
        open_provider("kubernetes", {"SRE_SOURCES": sources, "CREDENTIALS_DIRECTORY": str(tmp_path)})
    [problem] = refused.value.problems
    assert problem.code == "SVC-KUBECONFIG"
    assert why in problem.why
