"""AgentCore Runtime in the local AWS: a package is really run, versions never change, and an endpoint moves without a lost request."""

from __future__ import annotations

import hashlib
import io
import json
import ssl
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from botocore.exceptions import ClientError

from sre_core.security_event import EVENT, read_denial

from .conftest import CLIENT, TRUST, Aws, Issuer, unique

# What a package is to AWS: a file that answers GET /ping and POST /invocations. The standard library is enough.
PACKAGE = """
import http.server, json, os, socketserver, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("application/json", b'{"status": "Healthy"}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if body == b"slow":
            time.sleep(0.5)
        if body == b"stream":
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for number in range(2):
                self.wfile.write(b"data: %d\\n\\n" % number)
                self.wfile.flush()
                time.sleep(0.3)
            return
        seen = {"version": VERSION, "greeting": os.environ["GREETING"], "region": os.environ["AWS_REGION"], "headers": dict(self.headers)}
        self.answer("application/json", json.dumps(seen).encode())

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "socket"

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

Server(sys.argv[sys.argv.index("--socket") + 1], Handler).serve_forever()
"""
SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"


def packed(version: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("main.py", f"VERSION = {version}\n{PACKAGE}")
    return out.getvalue()


@dataclass
class Site:
    """One runtime, and how to invoke it."""

    aws: Aws
    control: Any
    issuer: Issuer
    http: httpx2.Client
    bucket: str
    request: dict[str, Any]
    runtime_id: str = ""
    arn: str = ""

    def update(self, version: int, **changes: Any) -> str:
        """Make a version of another package, and wait until it is ready; its number."""
        key = f"{version}.zip"
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=packed(version))
        request = {key: value for key, value in self.request.items() if key != "agentRuntimeName"} | changes
        request["agentRuntimeArtifact"] = code(self.bucket, key)
        answer = self.control.update_agent_runtime(agentRuntimeId=self.runtime_id, **request)
        self.wait_for_status()
        return str(answer["agentRuntimeVersion"])

    def wait_for_status(self) -> Any:
        return self.aws.wait_for_status(lambda: self.control.get_agent_runtime(agentRuntimeId=self.runtime_id))

    def wait_for_endpoint(self, name: str) -> Any:
        return self.aws.wait_for_status(lambda: self.control.get_agent_runtime_endpoint(agentRuntimeId=self.runtime_id, endpointName=name))

    def invoke(self, endpoint: str = "", *, body: bytes = b"{}", token: str | None = None, **headers: str) -> httpx2.Response:
        bearer = {"Authorization": f"Bearer {self.issuer.token() if token is None else token}"} if token != "" else {}
        query = {"qualifier": endpoint} if endpoint else {}
        return self.http.post(self.url, params=query, content=body, headers={"content-type": "application/json", **bearer, **headers})

    @property
    def url(self) -> str:
        return f"{self.aws.account.endpoint}/runtimes/{quote(self.arn, safe='')}/invocations"


def code(bucket: str, key: str) -> dict[str, Any]:
    location = {"s3": {"bucket": bucket, "prefix": key}}
    return {"codeConfiguration": {"code": location, "runtime": "PYTHON_3_12", "entryPoint": ["main.py"]}}


@pytest.fixture(scope="module")
def site(aws: Aws, control: Any, session_issuer: Issuer) -> Iterator[Site]:
    trust = json.dumps(TRUST).replace(":gateway/*", ":runtime/*")
    role = aws.client("iam").create_role(RoleName=unique("runtime"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    bucket = unique("packages")
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="1.zip", Body=packed(1))
    request = {
        "agentRuntimeName": unique("assistant").replace("-", "_"),
        "agentRuntimeArtifact": code(bucket, "1.zip"),
        "roleArn": role,
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "authorizerConfiguration": {"customJWTAuthorizer": {"discoveryUrl": session_issuer.discovery_url, "allowedClients": [CLIENT]}},
        "requestHeaderConfiguration": {"requestHeaderAllowlist": ["Authorization"]},
        "environmentVariables": {"GREETING": "hello"},
    }
    with httpx2.Client(verify=_trust(aws), timeout=120) as http:
        site = Site(aws, control, session_issuer, http, bucket, request)
        made = control.create_agent_runtime(**request, tags={"team": "red"})
        site.runtime_id, site.arn = made["agentRuntimeId"], made["agentRuntimeArn"]
        site.wait_for_status()
        yield site


def _trust(aws: Aws) -> Any:
    return ssl.create_default_context(cafile=str(aws.account.authority.ca_file))


def test_an_invocation(site: Site) -> None:
    """The package runs with its environment and its role's region; it gets the session, and of the caller's headers what is allowed."""
    session = "a-session-of-more-than-32-characters"
    answer = site.invoke(**{SESSION: session, "X-Other": "hidden"})
    seen = answer.json()
    assert (seen["version"], seen["greeting"], seen["region"]) == (1, "hello", "us-east-1")
    assert answer.headers[SESSION] == session == seen["headers"][SESSION.lower()]
    assert seen["headers"]["authorization"].startswith("Bearer ")
    assert "x-other" not in seen["headers"]
    assert len(site.invoke().headers[SESSION]) >= 33


def test_what_a_package_prints(site: Site) -> None:
    """It goes into the log group of the endpoint that was asked, which is made at the first line by the role, if that may."""
    logs, role = site.aws.client("logs"), site.request["roleArn"].rpartition("/")[2]
    name = f"/aws/bedrock-agentcore/runtimes/{site.runtime_id}-DEFAULT"
    site.invoke()
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []
    write = {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [write]})
    site.aws.client("iam").put_role_policy(RoleName=role, PolicyName="write", PolicyDocument=document)
    site.invoke()
    [group] = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {}
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=name)["events"]]
    assert [line for line in lines if '"POST' in line] == lines != []


def test_a_stream_of_events(site: Site) -> None:
    """Events are passed on when they are written, not when the answer is complete."""
    token = {"Authorization": f"Bearer {site.issuer.token()}"}
    with site.http.stream("POST", site.url, content=b"stream", headers=token) as answer:
        arrived = [time.monotonic() for line in answer.iter_lines() if line.startswith("data: ")]
    assert len(arrived) == 2
    assert arrived[1] - arrived[0] > 0.1


@pytest.mark.parametrize(
    ("token", "status"),
    [("", 401), ("no.real.token", 401), ("wrong client", 401), ("expired", 401), ("AWS", 403)],
)
def test_a_caller_who_is_refused(site: Site, token: str, status: int) -> None:
    """AgentCore checks the token before the package gets anything."""
    if token == "AWS":
        data = site.aws.client("bedrock-agentcore")
        with pytest.raises(ClientError) as refused:
            data.invoke_agent_runtime(agentRuntimeArn=site.arn, payload=b"{}")
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        return
    made = {"wrong client": {"client_id": "another"}, "expired": {"exp": int(time.time()) - 1}}.get(token)
    assert site.invoke(token=site.issuer.token(**made) if made else token).status_code == status


def test_the_policies_of_a_runtime_and_its_endpoint(site: Site) -> None:
    """Where there are policies, both must allow the invocation, and that for a named user is another action."""

    def put(arn: str, action: str) -> None:
        statement = {"Effect": "Allow", "Principal": "*", "Action": f"bedrock-agentcore:{action}", "Resource": arn}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        site.control.put_resource_policy(resourceArn=arn, policy=text)

    arns = (site.arn, f"{site.arn}/runtime-endpoint/DEFAULT")
    put(arns[0], "InvokeAgentRuntime")
    assert site.invoke().status_code == 200
    put(arns[1], "InvokeAgentRuntimeForUser")
    refused = site.invoke()
    assert (refused.status_code, refused.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    put(arns[1], "InvokeAgentRuntime")
    assert site.invoke().status_code == 200
    assert site.invoke(**{"X-Amzn-Bedrock-AgentCore-Runtime-User-Id": "u"}).status_code == 403
    for arn in arns:
        site.control.delete_resource_policy(resourceArn=arn)
    assert site.invoke().status_code == 200


def test_what_a_package_gets_with_its_identity(site: Site) -> None:
    """Each invocation brings a token of the runtime's own workload identity, which a caller can't replace by one of its own."""
    name = unique("key")
    site.control.create_api_key_credential_provider(name=name, apiKey="the-key")
    token = site.invoke(WorkloadAccessToken="mine").json()["headers"]["workloadaccesstoken"]
    data = site.aws.client("bedrock-agentcore")
    assert data.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName=name)["apiKey"] == "the-key"
    site.control.delete_api_key_credential_provider(name=name)


def test_what_is_wrong_with_an_invocation(site: Site) -> None:
    """A session id that is too short, an endpoint and a runtime that do not exist: AWS's own errors."""
    short, unknown = site.invoke(**{SESSION: "short"}), site.invoke("nowhere")
    assert (short.status_code, short.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert (unknown.status_code, unknown.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    assert site.http.post(site.url.replace(site.runtime_id, "another-0123456789")).status_code == 404


def test_a_body_that_is_too_large(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """It is refused with a security event, and its connection is closed, as a gateway does it."""
    answer = site.invoke(body=bytes(100_000_001))
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
    assert answer.headers["connection"] == "close"
    [event] = [read_denial(line) for line in capfd.readouterr().err.splitlines() if EVENT in line]
    assert (event["status_detail"], event["metadata"]["correlation_uid"]) == ("body_too_large", answer.headers["x-amzn-requestid"])


def test_versions_and_endpoints(site: Site) -> None:
    """An update makes a version; DEFAULT follows, another endpoint moves on request, both ways, and no request is lost meanwhile."""
    where = {"agentRuntimeId": site.runtime_id}
    old = site.wait_for_status()
    number = str(old["agentRuntimeVersion"])
    made = site.control.create_agent_runtime_endpoint(**where, name="live", agentRuntimeVersion=number, tags={"team": "red"})
    site.wait_for_endpoint("live")
    before, answers, ending = site.invoke("live").json()["version"], [], threading.Event()
    site.invoke("live")

    def ask() -> None:
        while not ending.is_set():
            answers.append(site.invoke("live", body=b"slow" if len(answers) % 5 == 0 else b"{}"))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    newer = site.update(20)
    assert site.invoke("live").json()["version"] == before
    assert site.invoke().json()["version"] == 20
    for version in (newer, number):
        site.control.update_agent_runtime_endpoint(**where, endpointName="live", agentRuntimeVersion=version)
        seen = site.wait_for_endpoint("live")
        assert seen["liveVersion"] == seen["targetVersion"] == version
        assert site.invoke("live").json()["version"] == (20 if version == newer else before)
    ending.set()
    for thread in asking:
        thread.join(timeout=60)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["version"] for answer in answers} <= {before, 20}
    assert site.control.list_tags_for_resource(resourceArn=made["agentRuntimeEndpointArn"])["tags"] == {"team": "red"}
    listed = [each["agentRuntimeVersion"] for each in site.control.list_agent_runtime_versions(**where)["agentRuntimes"]]
    assert listed[-2:] == [number, newer]
    kept = site.control.get_agent_runtime(**where, agentRuntimeVersion=number)
    assert kept["agentRuntimeArtifact"] == old["agentRuntimeArtifact"]
    with pytest.raises(site.control.exceptions.ConflictException):
        site.control.delete_agent_runtime(**where)
    site.control.delete_agent_runtime_endpoint(**where, endpointName="live")
    for _ in range(200):
        if "live" not in [each["name"] for each in site.control.list_agent_runtime_endpoints(**where)["runtimeEndpoints"]]:
            break
        time.sleep(0.02)
    assert site.invoke("live").status_code == 404


def test_a_package_that_does_not_start(site: Site) -> None:
    """The runtime is ready all the same, as on AWS; the invocation says 424, with the reason."""
    site.aws.client("s3").put_object(Bucket=site.bucket, Key="bad.zip", Body=b"no zip")
    request = {key: value for key, value in site.request.items() if key != "agentRuntimeName"}
    request["agentRuntimeArtifact"] = code(site.bucket, "bad.zip")
    site.control.update_agent_runtime(agentRuntimeId=site.runtime_id, **request)
    site.wait_for_status()
    answer = site.invoke()
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (424, "RuntimeClientError")
    site.update(3)
    assert site.invoke().json()["version"] == 3


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"roleArn": "arn:aws:iam::123456789012:role/absent"}, "can't assume role .*:runtime/x"),
        ({"agentRuntimeArtifact": code("absent", "absent.zip")}, "s3"),
        ({"agentRuntimeArtifact": {"containerConfiguration": {"containerUri": "public.ecr.aws/team/agent:1"}}}, "containerConfiguration"),
        ({"authorizerConfiguration": {"customJWTAuthorizer": {"discoveryUrl": "https://a/.well-known/openid-configuration"}}}, "allowed"),
        ({"filesystemConfigurations": [{"sessionStorage": {"mountPath": "/mnt/work"}}]}, "filesystemConfigurations"),
    ],
)
def test_what_is_refused(site: Site, changed: dict[str, Any], named: str) -> None:
    """Requests that AWS refuses, or that the local AWS could not keep, are refused by name."""
    with pytest.raises(site.control.exceptions.ValidationException, match=named):
        site.control.create_agent_runtime(**site.request | {"agentRuntimeName": unique("x").replace("-", "_")} | changed)


def test_a_name_that_is_taken(site: Site) -> None:
    """Names are unique; the same client token gives the same runtime."""
    with pytest.raises(site.control.exceptions.ConflictException):
        site.control.create_agent_runtime(**site.request)
    twice = site.request | {"agentRuntimeName": unique("y").replace("-", "_"), "clientToken": "t" * 33}
    first, again = (site.control.create_agent_runtime(**twice)["agentRuntimeId"] for _ in range(2))
    assert first == again
    site.aws.wait_for_status(lambda: site.control.get_agent_runtime(agentRuntimeId=first))
    site.control.delete_agent_runtime(agentRuntimeId=first)
    with pytest.raises(site.control.exceptions.ResourceNotFoundException):
        while True:
            site.control.get_agent_runtime(agentRuntimeId=first)


def test_a_network_in_a_vpc(site: Site) -> None:
    """Subnets and groups that are absent, of several VPCs or in a zone without AgentCore are refused; those that fit are shown as given."""
    ec2 = site.aws.client("ec2")
    subnets = {
        subnet["AvailabilityZoneId"]: subnet
        for subnet in ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    }
    good, elsewhere = subnets["use1-az1"], subnets["use1-az3"]
    groups = {
        name: ec2.create_security_group(GroupName=unique("runtime"), Description="r", VpcId=vpc)["GroupId"]
        for name, vpc in (("good", good["VpcId"]), ("foreign", ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]))
    }

    def refused(**network: Any) -> str:
        with pytest.raises(ClientError) as error:
            site.update(1, networkConfiguration=network)
        assert error.value.response["Error"]["Code"] == "ValidationException"
        return str(error.value)

    def vpc(subnet: str, group: str) -> dict[str, Any]:
        return {"networkMode": "VPC", "networkModeConfig": {"subnets": [subnet], "securityGroups": [group]}}

    assert "networkModeConfig is required" in refused(networkMode="VPC")
    assert "not allowed with PUBLIC" in refused(**vpc(good["SubnetId"], groups["good"]) | {"networkMode": "PUBLIC"})
    assert "does not exist" in refused(**vpc("subnet-0123456789abcdef0", groups["good"]))
    assert "does not exist" in refused(**vpc(good["SubnetId"], "sg-0123456789abcdef0"))
    assert "use1-az3" in refused(**vpc(elsewhere["SubnetId"], groups["good"]))
    assert "more than one VPC" in refused(**vpc(good["SubnetId"], groups["foreign"]))
    fits = vpc(good["SubnetId"], groups["good"])
    site.update(1, networkConfiguration=fits)
    assert site.wait_for_status()["networkConfiguration"] == fits
    site.update(1)
    assert site.wait_for_status()["networkConfiguration"] == {"networkMode": "PUBLIC"}


def manifest_list(architecture: str) -> str:
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{'0' * 64}", "size": 1}
    listed = [{**entry, "platform": {"architecture": architecture, "os": "linux"}}]
    return json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": listed})


def push(ecr: Any, repository: str, architecture: str, tag: str) -> str:
    """Push an image and return its digest, which moto alone would draw from a hundred."""
    manifest = manifest_list(architecture)
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    return str(
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag, imageDigest=digest)["image"]["imageId"][
            "imageDigest"
        ]
    )


def test_an_image(site: Site, tmp_path: Path) -> None:
    """It needs a role that may pull it, a manifest in ECR, and arm64; the assistant of this release runs in its place."""
    ecr, iam, repository = site.aws.client("ecr"), site.aws.client("iam"), unique("agent")
    registry = f"{site.aws.account.account_id}.dkr.ecr.{site.aws.account.region}.amazonaws.com"
    (tmp_path / "gateway-client-secret").write_text("not used")
    names = ("GATEWAY_CLIENT_ID", "GATEWAY_SCOPE", "CALLER_SCOPE")
    environment = dict.fromkeys(names, "not-used") | {
        "GATEWAY_URL": "https://gateway.invalid/mcp",
        "OIDC_DISCOVERY_URL": site.issuer.discovery_url,
        "CALLER_CLIENT_ID": CLIENT,
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }

    def update(reference: str) -> str:
        request = {key: value for key, value in site.request.items() if key != "agentRuntimeName"}
        request["agentRuntimeArtifact"] = {"containerConfiguration": {"containerUri": f"{registry}/{repository}{reference}"}}
        answer = site.control.update_agent_runtime(agentRuntimeId=site.runtime_id, **request | {"environmentVariables": environment})
        site.wait_for_status()
        return str(answer["agentRuntimeVersion"])

    def refused(reference: str) -> str:
        with pytest.raises(site.control.exceptions.ValidationException) as error:
            update(reference)
        return str(error.value)

    assert "Access denied while validating ECR URI" in refused(":1")
    pull = {"Effect": "Allow", "Action": ["ecr:*"], "Resource": "*"}
    role = site.request["roleArn"].rpartition("/")[2]
    iam.put_role_policy(RoleName=role, PolicyName="pull", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [pull]}))
    assert "does not exist" in refused(":1")
    ecr.create_repository(repositoryName=repository)
    push(ecr, repository, "amd64", "1")
    assert "Supported architectures: [arm64]" in refused(":1")
    update(f"@{push(ecr, repository, 'arm64', '2')}")
    update(":2")
    answer = site.invoke()
    assert "x-amzn-errortype" not in answer.headers
    assert answer.json()["error"]["code"] in {"INVOCATION-INVALID", "insufficient_scope"}
    site.update(3)
