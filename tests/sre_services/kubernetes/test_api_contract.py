"""The promises of an API server that the services rely on: the tests' own server keeps them, and so does a kube-apiserver.

Without SRE_TEST_KUBE_APISERVER only the tests' own is asked; `make test-live-services` builds a real one and asks both.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from fixtures.kube_apiserver import MEMBER, PROGRAM, RealCluster, kube_apiserver
from fixtures.kubernetes_api import Cluster, reader_rules, served
from sre_core import clock
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.kubernetes.resources import LOGS, RESOURCES
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from ..conftest import KEY
from .test_live_cluster import OPERATIONS

type Server = Cluster | RealCluster
SERVERS = ["the tests' own", *(["kube-apiserver"] if PROGRAM else [])]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    recording = open_recording("crash-loop", clock.now() - timedelta(minutes=1))
    assert isinstance(recording, Recording)
    start: Any = kube_apiserver(recording, tmp_path_factory.mktemp("kube")) if request.param == "kube-apiserver" else None
    with start or served(Cluster(recording), tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Iterator[Server]:
    """The server, with the rules of the manifest, which one test may change."""
    yield server
    server.allow(reader_rules())


@pytest.fixture
def service(api: Server, tmp_path: Path) -> Callable[..., TestClient]:
    """service("kubernetes", token): a service over the server, with this token in its kubeconfig."""

    def made(name: str, token: str) -> TestClient:
        (tmp_path / "kubeconfig").write_text(api.kubeconfig({"token": token}))
        sources = json.dumps([{"source": "kubeconfig", "kubeconfig": "kubeconfig"}])
        provider = open_provider(name, {"SRE_SOURCES": sources, "CREDENTIALS_DIRECTORY": str(tmp_path)})
        return TestClient(build_app(Api.of(name), provider, Secret(KEY)), headers={"X-API-Key": KEY})

    return made


@pytest.fixture
def reader(api: Server) -> Iterator[httpx2.Client]:
    """Plain requests of the ServiceAccount that the manifest is for."""
    kubeconfig = json.loads(api.kubeconfig({}))
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    headers = {"Authorization": f"Bearer {api.new_token()}"}
    with httpx2.Client(base_url=api.url, verify=trust, headers=headers, timeout=60) as client:
        yield client


def lacks(api: Server) -> frozenset[str]:
    """The kinds that this version of an API server does not have."""
    return api.absent if isinstance(api, RealCluster) else frozenset()


def test_the_objects_of_the_recording(api: Server) -> None:
    """A real API server accepts every object of a recording that it has a kind for: they are such objects."""
    assert not (api.refused if isinstance(api, RealCluster) else {})


def test_with_the_manifest_everything_is_answered(api: Server, service: Callable[..., TestClient]) -> None:
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
def test_one_permission_less(api: Server, service: Callable[..., TestClient], reader: httpx2.Client, kind: str) -> None:
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


@pytest.mark.skipif(not PROGRAM, reason="only a kube-apiserver knows other requests than GET")
def test_nothing_is_changed_by_the_reader(api: Server) -> None:
    """No exec, no port-forward, no change and no Secret, for the ServiceAccount and for a member of the group."""
    if not isinstance(api, RealCluster):
        return
    pod = "/api/v1/namespaces/shop/pods/" + api.recording.kubernetes_list("pods.json")[0]["metadata"]["name"]
    for token in (api.new_token(), MEMBER):
        assert api.request("GET", "/api/v1/namespaces/shop/pods?limit=1", token=token)[0] == 200
        tried = [("POST", f"{pod}/exec?command=id"), ("POST", f"{pod}/portforward"), ("DELETE", pod), ("GET", "/api/v1/secrets")]
        assert {api.request(method, path, token=token)[0] for method, path in tried} == {403}


def test_a_token_that_is_not_known(api: Server, service: Callable[..., TestClient]) -> None:
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


def test_what_there_is_not(api: Server, reader: httpx2.Client) -> None:
    """A kind that an API server lacks is a 404, and is empty in answers; so is a path that leads nowhere."""
    for kind in lacks(api):
        assert reader.get(RESOURCES[kind].path(None)).status_code == 404
    assert reader.get("/api/v1/nothing").status_code in (403, 404)
