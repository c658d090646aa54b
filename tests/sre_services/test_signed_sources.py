"""Sources that an identity of AWS may read: Amazon Managed Service for Prometheus, and clusters of EKS."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from embedded_aws.http_messages import Request
from fixtures import signed
from fixtures.kubernetes_api import Cluster, served
from fixtures.prometheus import prometheus
from sre_core import clock, private_ca
from sre_core.problem import Refused
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.cli import main
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording
from sre_services.sources.aws import AwsClient, request_signer, sign_cluster_token
from sre_services.sources.settings import Settings

from .conftest import KEY


def incident() -> Recording:
    found = open_recording("crash-loop", clock.now() - timedelta(minutes=1))
    assert isinstance(found, Recording)
    return found


def service(kind: str, environment: dict[str, str], **settings: str) -> TestClient:
    provider = open_provider(
        kind, {**signed.CREDENTIALS, **environment, "SRE_SOURCES": json.dumps([{"region": signed.REGION, **settings}])}
    )
    return TestClient(build_app(Api.of(kind), provider, Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)


@pytest.mark.needs("prometheus")
def test_managed_prometheus(tmp_path: Path) -> None:
    """Signed requests give the answers of the Prometheus behind it; a wrong key, or none, is a Problem without the key."""
    with prometheus(incident(), tmp_path) as real, signed.managed_prometheus(real) as workspace:
        managed = service("metrics", {}, source="amp", url=workspace)
        assert managed.get("/health").json()["sources"] == {"amp": {"status": "ok"}}
        asked = {"time_window": "30m", "service": "payment-service"}
        same = service("metrics", {}, source="prometheus", url=real).get("/metrics/resources", params=asked).json()
        found = managed.get("/metrics/resources", params=asked).json()
        assert [(item["pod"], item["metric"]) for item in found["items"]] == [(item["pod"], item["metric"]) for item in same["items"]]
        assert found["items"]
        forged = service("metrics", {"AWS_SECRET_ACCESS_KEY": "of-nobody"}, source="amp", url=workspace).get("/metrics/errors")
        assert forged.json()["error"]["code"] == "SVC-SOURCE-PERMISSION"
        assert "of-nobody" not in forged.text


def presented(token: str) -> bool:
    """Do with a token what EKS does: ask STS who signed the request in it, with the name of the cluster as a header."""
    text = token.removeprefix("k8s-aws-v1.")
    parts = urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    headers = (("host", parts.netloc), ("x-k8s-aws-id", "prod"))
    request = Request("GET", parts.path, parts.query, headers, b"", "127.0.0.1")
    fresh = "x-k8s-aws-id" in request.parameter("X-Amz-SignedHeaders") and int(request.parameter("X-Amz-Expires")) <= 60
    return fresh and request.parameter("Action") == "GetCallerIdentity" and signed.signed_by_us(request, "sts")


def test_the_manifest_for_an_access_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """The members of its group may read what a service account may, and there is no service account."""
    assert main(["rbac", "--group", "readers"]) == 0
    of_group = json.loads(capsys.readouterr().out)["items"]
    assert main(["rbac"]) == 0
    _, role, _ = json.loads(capsys.readouterr().out)["items"]
    assert of_group[0] == role
    assert of_group[1]["subjects"] == [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "readers"}]


class ByToken(dict[str, str]):
    """The tokens that an API server of EKS accepts."""

    def get(self, token: str, default: str = "") -> str:  # type: ignore[override]
        return "sre-by-role" if token.startswith("k8s-aws-v1.") and presented(token) else default


def test_a_cluster_of_eks(tmp_path: Path) -> None:
    """It is found by its name, trusted by its own authority, and read with a token that names it; no kubeconfig is needed."""
    cluster = Cluster(incident(), tokens=ByToken())
    with served(cluster, tmp_path):
        authority = base64.b64encode(private_ca.pem(cluster.authority).encode()).decode()
        about = {"endpoint": cluster.url, "certificateAuthority": {"data": authority}}
        with signed.eks({"prod": about, "new": {"status": "CREATING"}}) as url:
            environment = {"AWS_ENDPOINT_URL_EKS": url}
            found = service("kubernetes", environment, source="eks", cluster="prod", namespace="shop")
            assert found.get("/health").json()["sources"] == {"eks": {"status": "ok"}}
            assert found.get("/pods/status").json()["total"] > 10
            logs = service("logs", environment, source="eks", cluster="prod", namespace="shop")
            assert logs.get("/logs/recent").json()["items"]
            forged = {**environment, "AWS_SECRET_ACCESS_KEY": "of-nobody"}
            answer = service("kubernetes", forged, source="eks", cluster="prod").get("/pods/status")
            assert answer.status_code == 503
            assert "of-nobody" not in answer.text
    assert {verb for verb, _, _ in cluster.made} <= {"list", "get"}


@pytest.mark.parametrize(
    "config",
    ["", "[default]\naws_access_key_id = of-a-test\n", "[default]\ncredential_process = /bin/false\n"],
    ids=["none", "half of them", "a program that fails"],
)
def test_credentials_that_can_not_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    """Without them neither a request nor a token is signed, and the caller learns why."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "config").write_text(config)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    sign = request_signer("aps", signed.REGION, {})
    named = Settings("cloudwatch", "cloudwatch", {"region": signed.REGION}, {})
    attempts: list[Callable[[], object]] = [
        lambda: sign("GET", "https://aps.example/", {}, b""),
        lambda: sign_cluster_token("prod", signed.REGION, {}),
        lambda: AwsClient("cloudwatch", "CloudWatch", named).call("list_metrics", "cloudwatch:ListMetrics"),
    ]
    for attempt in attempts:
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.problems[0].code == "SVC-SOURCE-CREDENTIAL"


def test_a_cluster_of_eks_that_can_not_be_looked_up(tmp_path: Path) -> None:
    """The service runs, its health says why it has no answers, and it has them once the cluster is found."""
    cluster, described = Cluster(incident(), tokens=ByToken()), dict[str, dict[str, object]]()
    with served(cluster, tmp_path), signed.eks(described) as url:
        found = service("kubernetes", {"AWS_ENDPOINT_URL_EKS": url}, source="eks", cluster="prod", namespace="shop")
        for about, code in ((None, "SVC-SOURCE-ABSENT"), ({"status": "CREATING"}, "SVC-SOURCE-ANSWER")):
            described |= {"prod": about} if about else {}
            answer = found.get("/pods/status")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, code)
        assert found.get("/health").json()["sources"] == {"eks": {"status": "failed", "code": "SVC-SOURCE-ANSWER"}}
        authority = base64.b64encode(private_ca.pem(cluster.authority).encode()).decode()
        described["prod"] = {"endpoint": cluster.url, "certificateAuthority": {"data": authority}}
        assert found.get("/pods/status").json()["total"] > 10
    with pytest.raises(Refused):
        service("kubernetes", {}, source="eks")
