"""The promises of an API server that the services rely on, as the tests' own server keeps them."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from fixtures.kubernetes_api import Cluster, reader_rules, served
from sre_core import clock
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.kubernetes.resources import LOGS, RESOURCES
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from ..conftest import KEY
from .test_live_cluster import OPERATIONS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    recording = open_recording("crash-loop", clock.now() - timedelta(minutes=1))
    assert isinstance(recording, Recording)
    with served(Cluster(recording), tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def api(server: Cluster) -> Iterator[Cluster]:
    """The server, with the rules of the manifest, which one test may change."""
    yield server
    server.allow(reader_rules())


@pytest.fixture
def service(api: Cluster, tmp_path: Path) -> Callable[..., TestClient]:
    """service("kubernetes", token): a service over the server, with this token in its kubeconfig."""

    def made(name: str, token: str) -> TestClient:
        (tmp_path / "kubeconfig").write_text(api.kubeconfig({"token": token}))
        sources = json.dumps([{"source": "kubeconfig", "kubeconfig": "kubeconfig"}])
        provider = open_provider(name, {"SRE_SOURCES": sources, "CREDENTIALS_DIRECTORY": str(tmp_path)})
        return TestClient(build_app(Api.of(name), provider, Secret(KEY)), headers={"X-API-Key": KEY})

    return made


@pytest.fixture
def reader(api: Cluster) -> Iterator[httpx2.Client]:
    """Plain requests of the ServiceAccount that the manifest is for."""
    kubeconfig = json.loads(api.kubeconfig({}))
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    headers = {"Authorization": f"Bearer {api.new_token()}"}
    with httpx2.Client(base_url=api.url, verify=trust, headers=headers, timeout=60) as client:
        yield client


def test_with_the_manifest_everything_is_answered(api: Cluster, service: Callable[..., TestClient]) -> None:
    """All operations about objects answer, with the objects of the recording, and the health path has nothing to say."""
    client = service("kubernetes", api.new_token())
    assert client.get("/health").json()["sources"] == {"kubeconfig": {"status": "ok"}}
    answers = {path: client.get(path) for path in OPERATIONS["kubernetes"]}
    assert {answer.status_code for answer in answers.values()} == {200}
    for path, kind in (("/pods/status", "pods"), ("/deployments/status", "deployments"), ("/services/status", "services")):
        recorded = {
            item["metadata"]["name"] for item in api.recording.kubernetes_list(f"{kind}.json") if item["metadata"]["namespace"] == "shop"
        }
        assert answers[path].json()["total"] == len(recorded)
        assert {item["name"] for item in answers[path].json()["items"]} <= recorded
    assert answers["/nodes/status"].json()["total"] == 3
    phases = {item["metadata"]["name"]: item["status"]["phase"] for item in api.recording.kubernetes_list("pods.json")}
    assert all(item["phase"] == phases[item["name"]] for item in answers["/pods/status"].json()["items"])
    assert service("logs", api.new_token()).get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("kind", [*sorted(RESOURCES), ""])
def test_one_permission_less(api: Cluster, service: Callable[..., TestClient], reader: httpx2.Client, kind: str) -> None:
    """The health path names the permission that is missing; that of logs is missed when one is read."""
    taken = RESOURCES.get(kind, LOGS)
    api.allow(
        [
            {**rule, "resources": [name for name in rule["resources"] if (taken.group in rule["apiGroups"], name) != (True, taken.name)]}
            for rule in reader_rules()
        ]
    )
    if kind:
        found = service("kubernetes", api.new_token()).get("/health").json()["sources"]["kubeconfig"]
        assert found == {"status": "failed", "code": "SVC-SOURCE-PERMISSION", "permission": taken.permission}
    else:
        pod = api.recording.kubernetes_list("pods.json")[0]["metadata"]
        refused = reader.get(f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/log")
        assert (refused.status_code, "pods/log" in refused.json()["message"]) == (403, True)


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/api/v1/namespaces/shop/secrets", "/apis/rbac.authorization.k8s.io/v1/clusterroles"])
def test_what_the_manifest_does_not_allow(reader: httpx2.Client, path: str) -> None:
    """Secrets and roles are refused, with a Status that says so."""
    refused = reader.get(path)
    assert (
        (refused.status_code, refused.json()["kind"]) == (403, "Status")
        if "rbac" not in path
        else (refused.status_code in (403, 404), True)
    )


def test_a_token_that_is_not_known(api: Cluster, service: Callable[..., TestClient]) -> None:
    """It is 401, which is a credential and no permission."""
    found = service("kubernetes", "of yesterday").get("/health").json()["sources"]["kubeconfig"]
    assert found == {"status": "failed", "code": "SVC-SOURCE-CREDENTIAL"}


def test_a_list_in_parts(reader: httpx2.Client) -> None:
    """Each part but the last has a `continue`, and together they are the list."""
    path = "/api/v1/namespaces/shop/pods"
    whole = [item["metadata"]["name"] for item in reader.get(path).json()["items"]]
    names, more = [], "first"
    while more:
        part = reader.get(path, params={"limit": 5, **({"continue": more} if more != "first" else {})}).json()
        assert len(part["items"]) <= 5
        names += [item["metadata"]["name"] for item in part["items"]]
        more = part["metadata"].get("continue", "")
    assert sorted(names) == sorted(whole)
    assert len(whole) > 10
