"""The promises of an API server that the services rely on: the tests' own server keeps them, and so does a kube-apiserver.

Without SRE_TEST_KUBE_APISERVER only the tests' own is asked; `make test-live-services` builds a real one and asks both.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from fixtures.kube_apiserver import PROGRAM, kube_apiserver
from fixtures.kubernetes_api import Cluster, reader_rules, served
from fixtures.kubernetes_objects import add_more_kinds, sort_objects
from fixtures.real_cluster import RealCluster
from sre_core import clock
from sre_core.secret import Secret
from sre_services import recording as recordings
from sre_services.application import Api, build_app
from sre_services.kubernetes.resources import ADDED, LOGS, RESOURCES
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from ..conftest import KEY, application
from .test_live_cluster import plugin

type Server = Cluster | RealCluster
END = datetime.fromtimestamp(clock.now().timestamp() // 60 * 60 - 60, UTC)
SMALL, OLDER, REAL = "small", "small and older", "kube-apiserver"
SERVERS = [SMALL, *([REAL] if PROGRAM else [])]
PATHS = sorted(Api.of("kubernetes").document()["paths"])
# As kubernetes 1.20: nothing that a cluster does not have by itself.
NOT_ADDED = frozenset(kind for kind, resource in RESOURCES.items() if resource.group in ADDED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with objects of every kind."""
    found = Path(shutil.copytree(recordings.SHIPPED / "crash-loop", tmp_path_factory.mktemp("recorded") / "all-kinds"))
    add_more_kinds(found)
    sort_objects(found)
    return found


@pytest.fixture(scope="module")
def start(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """start(name): a server with the objects of the recording, started once."""
    recording = open_recording(str(folder), END)
    assert isinstance(recording, Recording)
    with ExitStack() as running:

        @cache
        def started(name: str) -> Server:
            if name == REAL:
                return running.enter_context(kube_apiserver(recording, tmp_path_factory.mktemp("kube")))
            older = {"older": True, "absent": NOT_ADDED} if name == OLDER else {}
            return running.enter_context(served(Cluster(recording, **older), tmp_path_factory.mktemp("api")))  # type: ignore[arg-type]

        yield started


@pytest.fixture(scope="module")
def recorded(start: Callable[[str], Server], folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TestClient]:
    """recorded(name): the service over the objects of the recording that the server has a version for."""

    @cache
    def opened(name: str) -> TestClient:
        kept = Path(shutil.copytree(folder, tmp_path_factory.mktemp("kept") / "recorded"))
        for kind in RESOURCES:
            if not start(name).version(kind):
                (kept / "kubernetes" / f"{kind}.json").unlink(missing_ok=True)
        return application("kubernetes", kept, clock.stamp(END))

    return opened


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, start: Callable[[str], Server]) -> Iterator[Server]:
    """The server, with the rules of the manifest, which one test may change."""
    found = start(request.param)
    yield found
    found.allow(reader_rules())


@pytest.fixture
def service(api: Server, tmp_path: Path) -> Callable[..., TestClient]:
    """service("kubernetes", user): a service over the server, as this user of a kubeconfig."""
    return lambda name, user=None: open_service(api, tmp_path, name, user)


def open_service(api: Server, tmp_path: Path, name: str, user: Mapping[str, Any] | None = None) -> TestClient:
    (tmp_path / "kubeconfig").write_text(api.kubeconfig(user or {"token": api.new_token()}))
    sources = json.dumps([{"source": "kubeconfig", "kubeconfig": "kubeconfig"}])
    provider = open_provider(name, {"SRE_SOURCES": sources, "CREDENTIALS_DIRECTORY": str(tmp_path)})
    return TestClient(build_app(Api.of(name), provider, Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)


@pytest.fixture
def reader(api: Server) -> Iterator[httpx2.Client]:
    """Plain requests of the ServiceAccount that the manifest is for."""
    kubeconfig = json.loads(api.kubeconfig({}))
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    headers = {"Authorization": f"Bearer {api.new_token()}"}
    with httpx2.Client(base_url=api.url, verify=trust, headers=headers, timeout=60) as client:
        yield client


@pytest.mark.skipif(not PROGRAM, reason="run by make test-live-services")
def test_the_objects_of_the_recording(start: Callable[[str], Server]) -> None:
    """A kube-apiserver accepts every object that the tests replay, of each kind that it has, with its state."""
    real = start(REAL)
    assert isinstance(real, RealCluster)
    assert real.refused == {}
    assert {kind for kind in RESOURCES if not real.version(kind)} <= NOT_ADDED


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", [SMALL, OLDER, *SERVERS[1:]])
def test_the_same_answers(
    start: Callable[[str], Server], recorded: Callable[[str], TestClient], tmp_path: Path, name: str, path: str
) -> None:
    """Every answer is that of the recording, also where the server has older versions of the API."""
    live = open_service(start(name), tmp_path, "kubernetes")
    parameters = {"since": f"{clock.stamp(END - timedelta(hours=1))}/{clock.stamp(END)}"} if path == "/events" else {}
    ours, theirs = (without_clock(client.get(path, params=parameters).json()) for client in (live, recorded(name)))
    assert ours == theirs
    assert ours["items"]


def without_clock(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer without the moment at which it was given, which its cursor has too."""
    return {name: part for name, part in answer.items() if name not in ("as_of", "cursor")}


@pytest.mark.parametrize("kind_of_user", ["token", "certificate", "plugin"])
def test_users_of_a_kubeconfig(api: Server, service: Callable[..., TestClient], tmp_path: Path, kind_of_user: str) -> None:
    """The token of the ServiceAccount, a certificate of a member of the group, and a plugin's token may all read everything."""
    script = f'printf \'{{"status": {{"token": "%s"}}}}\' "{api.new_token()}"'
    users = {"token": {"token": api.new_token()}, "certificate": api.client_certificate(), "plugin": plugin(tmp_path, script)}
    client = service("kubernetes", users[kind_of_user])
    assert client.get("/health").json()["sources"] == {"kubeconfig": {"status": "ok"}}
    assert {client.get(path).status_code for path in PATHS} == {200}


@pytest.mark.parametrize("kind", [*sorted(RESOURCES), ""])
def test_one_permission_less(api: Server, service: Callable[..., TestClient], reader: httpx2.Client, kind: str) -> None:
    """The health path names the permission that is missing; that of logs is missed when one is read."""
    taken = RESOURCES.get(kind, LOGS)
    kept = (
        {**rule, "resources": [name for name in rule["resources"] if (taken.group in rule["apiGroups"], name) != (True, taken.name)]}
        for rule in reader_rules()
    )
    api.allow([rule for rule in kept if rule["resources"]])
    if kind:
        client = service("kubernetes")
        found = client.get("/health").json()["sources"]["kubeconfig"]
        assert found == {"status": "failed", "code": "SVC-SOURCE-PERMISSION", "permission": taken.permission}
        if taken.optional:
            notes = (client.get(path).json().get("note", "") for path in PATHS)
            assert any(f"Nothing is known of {kind}: the permission" in note for note in notes)
    else:
        pod = api.objects["pods"][0]["metadata"]
        refused = reader.get(f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/log")
        assert (refused.status_code, "pods/log" in refused.json()["message"]) == (403, True)


POD = "/api/v1/namespaces/shop/pods/x"
FORBIDDEN = [
    ("GET", "/api/v1/secrets", "list", "secrets", ""),
    ("GET", "/api/v1/namespaces/shop/secrets", "list", "secrets", ""),
    ("GET", "/api/v1/namespaces/shop/secrets/x", "get", "secrets", ""),
    ("GET", f"{POD}/exec?command=id", "get", "pods/exec", ""),
    ("POST", f"{POD}/exec?command=id", "create", "pods/exec", ""),
    ("POST", f"{POD}/portforward", "create", "pods/portforward", ""),
    ("GET", f"{POD}/proxy", "get", "pods/proxy", ""),
    ("POST", f"{POD}/attach", "create", "pods/attach", ""),
    ("DELETE", POD, "delete", "pods", ""),
    ("GET", POD, "get", "pods", ""),
    ("GET", "/api/v1/namespaces/shop/pods?watch=true", "watch", "pods", ""),
    ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/x", "patch", "deployments", "apps"),
    ("POST", "/api/v1/namespaces/default/serviceaccounts/x/token", "create", "serviceaccounts/token", ""),
    ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "list", "clusterroles", "rbac.authorization.k8s.io"),
    ("GET", "/api/v1/nothing", "list", "nothing", ""),
]


@pytest.mark.parametrize(("method", "path", "verb", "resource", "group"), FORBIDDEN)
def test_what_the_manifest_does_not_allow(reader: httpx2.Client, method: str, path: str, verb: str, resource: str, group: str) -> None:
    """Secrets, exec, port-forward, proxies, changes, watches and single objects are refused, with a Status that says so."""
    refused = reader.request(method, path)
    status = refused.json()
    assert (refused.status_code, status["kind"], status["reason"], status["code"]) == (403, "Status", "Forbidden", 403)
    assert re.fullmatch(
        rf'[a-z.0-9]+( "x")? is forbidden: User "[^"]+" cannot {verb} resource "{resource}" in API group "{group}" '
        r'(in the namespace "(shop|default)"|at the cluster scope)',
        status["message"],
    )


@pytest.mark.parametrize("expired", [False, True])
def test_a_token_that_is_not_accepted(api: Server, service: Callable[..., TestClient], expired: bool) -> None:
    """It is 401, which is a credential and no permission."""
    client = service("kubernetes", {"token": api.expired_token() if expired else "of yesterday"})
    assert client.get("/health").json()["sources"]["kubeconfig"] == {"status": "failed", "code": "SVC-SOURCE-CREDENTIAL"}
    answer = client.get("/pods/status")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SVC-SOURCE-CREDENTIAL")


def test_a_list(api: Server, reader: httpx2.Client) -> None:
    """It says what it is a list of, and its items do not; each part but the last has a `continue`, and together they are the list."""
    path = "/api/v1/namespaces/shop/pods"
    whole = reader.get(path).json()
    assert (whole["kind"], whole["apiVersion"]) == ("PodList", "v1")
    assert not any({"kind", "apiVersion"} & item.keys() for item in whole["items"])
    names, more = [], "first"
    while more:
        part = reader.get(path, params={"limit": 5, **({"continue": more} if more != "first" else {})}).json()
        assert len(part["items"]) <= 5
        names += [item["metadata"]["name"] for item in part["items"]]
        more = part["metadata"].get("continue", "")
    assert sorted(names) == sorted(item["metadata"]["name"] for item in whole["items"])
    assert len(names) > 10
    refused = reader.get(path, params={"limit": 5, "continue": "made up"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "BadRequest")


def test_a_kind_or_version_that_is_not_there(api: Server, reader: httpx2.Client) -> None:
    """Of a group that is not served no page is found; a version or resource that a group does not have is a Status."""
    more = {"apiGroups": ["apps", "absent.example"], "resources": ["nothing"], "verbs": ["list"]}
    api.allow([*reader_rules(), more])
    refused = reader.get("/apis/absent.example/v1/nothing")
    assert (refused.status_code, refused.text) == (404, "404 page not found\n")
    for path in ("/apis/batch/v3/jobs", "/apis/apps/v1/nothing"):
        refused = reader.get(path)
        assert (refused.status_code, refused.json()["message"]) == (404, "the server could not find the requested resource")


def pods_of(api: Server) -> list[Any]:
    return [pod for pod in api.objects["pods"] if pod["metadata"]["namespace"] == "shop"]


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/api/v1/namespaces/shop/pods/gone/log", 404, 'pods "gone" not found'),
        ("/api/v1/namespaces/shop/pods/{pod}/log?container=gone", 400, "container gone is not valid for pod {pod}"),
    ],
)
def test_a_log_that_is_not_there(api: Server, reader: httpx2.Client, path: str, code: int, message: str) -> None:
    """A pod that is gone is 404, and a container that is not in it is 400."""
    pod = pods_of(api)[0]["metadata"]["name"]
    refused = reader.get(path.format(pod=pod))
    assert (refused.status_code, refused.json()["message"]) == (code, message.format(pod=pod))


def test_the_logs_of_a_lost_node(start: Callable[[str], Server], tmp_path: Path) -> None:
    """Unreadable logs are named, and the logs of the other nodes are answered."""
    api = start(SMALL)
    assert isinstance(api, Cluster)
    lost = pods_of(api)[0]
    api.lost_nodes = frozenset({lost["spec"]["nodeName"]})
    try:
        answer = open_service(api, tmp_path, "logs").get("/logs/recent", params={"limit": "10"}).json()
    finally:
        api.lost_nodes = frozenset()
    assert answer["items"]
    assert answer["truncated"]
    assert f"{lost['metadata']['name']} (It answered 500 to get pods/log: no preferred addresses" in answer["note"]


def test_no_log_can_be_read(api: Server, service: Callable[..., TestClient]) -> None:
    """Where no kubelet answers, the logs say so instead of being empty."""
    if isinstance(api, Cluster):
        api.lost_nodes = frozenset(each["metadata"]["name"] for each in api.objects["nodes"])
    answer = service("logs").get("/logs/recent")
    if isinstance(api, Cluster):
        api.lost_nodes = frozenset()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SVC-SOURCE-ANSWER")


def test_metrics_whose_server_is_down(api: Server, service: Callable[..., TestClient]) -> None:
    """An API server that answers 503 for metrics.k8s.io alone is answered from the rest, and the answer says what is missing."""
    with api.without_metrics():
        client = service("kubernetes")
        for path, kind in (("/resources/usage", "podmetrics"), ("/nodes/status", "nodemetrics")):
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.json()["items"]
            assert f"Nothing is known of {kind}: It answered 503" in answer.json()["note"]
        found = client.get("/health").json()["sources"]["kubeconfig"]
        assert found == {"status": "failed", "code": "SVC-SOURCE-ANSWER", "answered": "503"}


@pytest.mark.skipif(not PROGRAM, reason="run by make test-live-services")
def test_an_api_server_that_hangs(start: Callable[[str], Server], tmp_path: Path) -> None:
    """The service reports the missing answer in time, and answers again once the server does."""
    real = start(REAL)
    assert isinstance(real, RealCluster)
    client = open_service(real, tmp_path, "kubernetes")
    with real.silent():
        began = time.monotonic()
        answer = client.get("/nodes/status")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SVC-SOURCE-UNREACHABLE")
        assert time.monotonic() - began < 20
    assert client.get("/nodes/status").json()["total"] == 3
