"""One AWS in this process with real TLS and real boto3, one issuer of tokens, and one backend API per test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
from botocore.config import Config
from joserfc import jwt
from joserfc.jwk import RSAKey

from embedded_aws import listener
from embedded_aws.account import ACCOUNT_ID, Account
from embedded_aws.agentcore.control import ControlPlane
from embedded_aws.agentcore.invocations import runtime_in
from embedded_aws.authority import LocalAuthority
from embedded_aws.credentials import Keyring, new_root_key
from embedded_aws.listener import HttpsListener
from embedded_aws.moto_app import MotoApp, configure_moto
from embedded_aws.oauth.endpoints import OAuthEndpoints
from embedded_aws.router import Router

REGION = "us-east-1"
API_KEY = f"key-{uuid.uuid4()}"
CLIENT = "the-gateway-client"
SCOPE = "tests/gateway.invoke"

type Json = dict[str, Any]


class Loop:
    """An event loop in a thread of its own, for the servers of a test run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=120)
        self._loop.close()


@dataclass(frozen=True)
class Aws:
    """Gives a test clients of this AWS, and a place for servers that gateways may reach."""

    account: Account
    loop: Loop
    session: boto3.Session

    def client(self, service: str) -> Any:
        # AWS's refusals are what is tested here, not botocore's.
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        return self.session.client(service, endpoint_url=self.account.endpoint, verify=str(self.account.authority.ca_file), config=config)

    @contextlib.contextmanager
    def https(self, app: Any, authority: LocalAuthority | None = None, *names: str) -> Iterator[str]:
        """Serve an ASGI app on an address that belongs to this AWS, as an instance would; its URL."""
        address = self.account.addresses.take()
        certificate = (authority or self.account.authority).issue(address, *names)
        server = self.loop.run(listener.serve(app, certificate, listener.bind(address, 0), self.account.folder))
        try:
            yield server.url
        finally:
            self.loop.run(server.close())
            self.account.addresses.release(address)

    def wait_for_status(self, look: Callable[[], Json], *, until: str = "READY", field_name: str = "status") -> Json:
        """Wait while `look` shows a transition; fail if the status after it is another one."""
        for _ in range(400):
            seen = look()
            if not seen[field_name].endswith("ING"):
                assert seen[field_name] == until, seen
                return seen
            time.sleep(0.01)
        raise AssertionError(f"still {seen[field_name]}")


@contextlib.contextmanager
def running_aws(folder: Path, change_seconds: float) -> Iterator[Aws]:
    """This AWS, answering on loopback, with keys of its own."""
    configure_moto()
    loop = Loop()
    listening = listener.bind("127.0.0.1", 0)
    endpoint = f"https://127.0.0.1:{listening.getsockname()[1]}"
    account = Account(region=REGION, folder=folder, ca_file=folder / "ca.pem", endpoint=endpoint)
    key = new_root_key(ACCOUNT_ID)

    async def start() -> tuple[ControlPlane, HttpsListener]:
        control = ControlPlane(account, change_seconds=change_seconds)
        router = Router(
            port=listening.getsockname()[1],
            keyring=Keyring(ACCOUNT_ID, key),
            oauth=OAuthEndpoints(ACCOUNT_ID, endpoint),
            apps={"bedrock-agentcore": lambda _: control},
            everything_else=MotoApp(),
            find_invocation=lambda path: control.invocations if runtime_in(path) else None,
        )
        certificate = account.authority.issue("127.0.0.1", "localhost")
        return control, await listener.serve(router, certificate, listening, folder)

    control, door = loop.run(start())
    session = boto3.Session(key.access_key_id, key.secret_access_key.reveal(), region_name=REGION)
    try:
        yield Aws(account, loop, session)
    finally:
        loop.run(control.close())
        loop.run(door.close())
        loop.stop()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An AWS where things change_seconds almost at once."""
    with running_aws(tmp_path_factory.mktemp("aws"), change_seconds=0.02) as running:
        yield running


@pytest.fixture(scope="session")
def slow_control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Make a client of another AWS, over the same roles and buckets, whose transitions last longer than a test."""
    with running_aws(tmp_path_factory.mktemp("slow-aws"), change_seconds=600) as running:
        yield running.client("bedrock-agentcore-control")


@pytest.fixture(scope="session")
def control(aws: Aws) -> Any:
    """An unmodified boto3 client of the control plane."""
    return aws.client("bedrock-agentcore-control")


@dataclass
class Issuer:
    """An OpenID provider whose tokens a test writes itself."""

    url: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first"}))
    published: list[RSAKey] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)

    @property
    def discovery_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.fetches.append(scope["path"])
        keys = {"keys": [{**each.as_dict(private=False), "use": "sig"} for each in self.published]}
        document = keys if scope["path"] == "/jwks" else {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        body = json.dumps(document).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    def token(self, *, key: RSAKey | None = None, algorithm: str = "RS256", **claims: Any) -> str:
        now = int(time.time())
        signing = key or self.key
        usual = {"iss": self.url, "client_id": CLIENT, "scope": SCOPE, "iat": now, "exp": now + 300, "token_use": "access"}
        return jwt.encode({"alg": algorithm, "kid": signing.kid}, {**usual, **claims}, signing, algorithms=[algorithm])


@pytest.fixture(scope="session")
def session_issuer(aws: Aws) -> Iterator[Issuer]:
    """One issuer for the tests that need nothing special of it: keys are slow to make."""
    issuer = Issuer()
    issuer.published.append(issuer.key)
    with aws.https(issuer) as issuer.url:
        yield issuer


@pytest.fixture
def issuer(session_issuer: Issuer) -> Issuer:
    return session_issuer


TRUST: Json = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT_ID}:gateway/*"},
            },
        }
    ],
}

PERMISSIONS: Json = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["bedrock-agentcore:GetWorkloadAccessToken", "bedrock-agentcore:GetResourceApiKey", "secretsmanager:GetSecretValue"],
            "Resource": "*",
        }
    ],
}


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_role(aws: Aws) -> Callable[..., str]:
    """Make a role that gateways can use, except with other arguments; return its ARN."""
    iam = aws.client("iam")

    def make(trust: Json = TRUST, permissions: Json | None = PERMISSIONS) -> str:
        name = unique("gateway-role")
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        if permissions is not None:
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(permissions))
        return arn

    return make


@pytest.fixture
def role_arn(make_role: Callable[..., str]) -> str:
    return make_role()


def jwt_authorizer(issuer: Issuer, **changes: Any) -> Json:
    return {
        "authorizerType": "CUSTOM_JWT",
        "authorizerConfiguration": {"customJWTAuthorizer": {"discoveryUrl": issuer.discovery_url, "allowedClients": [CLIENT], **changes}},
    }


@pytest.fixture
def make_gateway(aws: Aws, control: Any, role_arn: str, issuer: Issuer) -> Iterator[Callable[..., Json]]:
    """Make a gateway and wait until it is READY; what a test makes goes away with it."""
    made: list[str] = []

    def make(**changes: Any) -> Json:
        request = {"name": unique("gw"), "roleArn": role_arn, "protocolType": "MCP", **jwt_authorizer(issuer), **changes}
        gateway_id = control.create_gateway(**{name: value for name, value in request.items() if value is not None})["gatewayId"]
        made.append(gateway_id)
        return aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=gateway_id))

    yield make
    for gateway_id in made:
        remove_gateway(control, gateway_id)


def remove_gateway(control: Any, gateway_id: str) -> None:
    """Remove a gateway with its targets, as patiently as AWS wants it."""
    with contextlib.suppress(control.exceptions.ResourceNotFoundException):
        for target in control.list_gateway_targets(gatewayIdentifier=gateway_id)["items"]:
            control.delete_gateway_target(gatewayIdentifier=gateway_id, targetId=target["targetId"])
        for _ in range(200):
            with contextlib.suppress(control.exceptions.ConflictException):
                control.delete_gateway(gatewayIdentifier=gateway_id)
                return
            time.sleep(0.01)


@pytest.fixture
def gateway(make_gateway: Callable[..., Json]) -> Json:
    return make_gateway()


@pytest.fixture(scope="session")
def shared_gateway(aws: Aws, control: Any, session_issuer: Issuer) -> Json:
    """One gateway for the tests that change nothing about it."""
    iam, name = aws.client("iam"), unique("shared")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = control.create_gateway(name=name, roleArn=role, protocolType="MCP", **jwt_authorizer(session_issuer))
    return aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=made["gatewayId"]))


@pytest.fixture
def provider(control: Any) -> Iterator[Json]:
    """A credential provider that keeps API_KEY."""
    name = unique("provider")
    yield control.create_api_key_credential_provider(name=name, apiKey=API_KEY)
    with contextlib.suppress(control.exceptions.ResourceNotFoundException):
        control.delete_api_key_credential_provider(name=name)


@pytest.fixture
def bucket(aws: Aws) -> str:
    name = unique("schemas")
    aws.client("s3").create_bucket(Bucket=name)
    return name


def credentials(provider_arn: str, **changes: Any) -> list[Json]:
    key = {"providerArn": provider_arn, "credentialLocation": "HEADER", "credentialParameterName": "X-API-Key", **changes}
    return [{"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": key}}]


def openapi(server: str, **changes: Any) -> Json:
    """An API of three operations, as a service's own generator would write it."""
    pod_name = {"name": "pod_name", "in": "path", "required": True, "schema": {"type": "string"}}
    namespace = {"name": "namespace", "in": "query", "description": "Where to look", "schema": {"type": "string", "enum": ["prod", "dev"]}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}
    note = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "labels": {"type": "array", "items": {"type": "string"}}},
        "required": ["text"],
    }
    ok = {"200": {"description": "OK"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pods", "version": "1"},
        "servers": [{"url": server}],
        "paths": {
            "/pods/{pod_name}": {
                "get": {
                    "operationId": "get_pod_status",
                    "summary": "Status of a pod",
                    "parameters": [pod_name, namespace, limit],
                    "responses": ok,
                }
            },
            "/notes": {
                "post": {
                    "operationId": "add_note",
                    "summary": "Add a note",
                    "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Note"}}}},
                    "responses": ok,
                }
            },
            "/logs": {"get": {"operationId": "search_logs", "summary": "Search the logs", "parameters": [limit], "responses": ok}},
        },
        "components": {"schemas": {"Note": note}},
        **changes,
    }


@dataclass
class Api:
    """A backend API: records its requests and answers with what a test chooses."""

    url: str = ""
    ca_file: Path = Path()
    requests: list[Json] = field(default_factory=list)
    status: int = 200
    body: bytes = b'{"status": "Running"}'
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.requests.append(
            {
                "method": scope["method"],
                "path": scope["raw_path"].decode(),
                "query": scope["query_string"].decode(),
                "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
                "body": message.get("body", b""),
            }
        )
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def private_ca(aws: Aws, tmp_path: Path) -> LocalAuthority:
    """Make a certificate authority that is trusted only where a test configures it."""
    return LocalAuthority(tmp_path / "private-ca.pem")


@pytest.fixture
def api(aws: Aws, private_ca: LocalAuthority) -> Iterator[Api]:
    """A backend on an address of this AWS, with a certificate of a private CA."""
    backend = Api(ca_file=private_ca.ca_file)
    with aws.https(backend, private_ca, "api.internal") as backend.url:
        yield backend


@pytest.fixture
def make_target(aws: Aws, control: Any, provider: Json, bucket: str, api: Api) -> Callable[..., Json]:
    """Make a target for the backend out of a schema in S3 and wait until it has this status."""
    s3 = aws.client("s3")

    def make(
        gateway: Json, *, document: Any = None, until: str = "READY", name: str = "pods", key: Json | None = None, **changes: Any
    ) -> Json:
        body = document if isinstance(document, (bytes, str)) else json.dumps(document or openapi(api.url))
        s3.put_object(Bucket=bucket, Key="openapi.json", Body=body)
        s3.put_object(Bucket=bucket, Key="ca.pem", Body=api.ca_file.read_bytes())
        request = {
            "gatewayIdentifier": gateway["gatewayId"],
            "name": name,
            "targetConfiguration": {"mcp": {"openApiSchema": {"s3": {"uri": f"s3://{bucket}/openapi.json"}}}},
            "credentialProviderConfigurations": credentials(provider["credentialProviderArn"], **(key or {})),
            "certificateConfigurations": [{"s3": {"uri": f"s3://{bucket}/ca.pem"}}],
            **changes,
        }
        target_id = control.create_gateway_target(**{name: value for name, value in request.items() if value is not None})["targetId"]
        return aws.wait_for_status(
            lambda: control.get_gateway_target(gatewayIdentifier=gateway["gatewayId"], targetId=target_id), until=until
        )

    return make


class Caller:
    """A raw HTTP client of one gateway, for what no proper client would send."""

    def __init__(self, http: httpx2.Client, gateway: Mapping[str, Any], token: str | None) -> None:
        self._http = http
        self._token = token
        self.url: str = gateway["gatewayUrl"]

    def post(self, body: Any, *, token: str | None = None, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        bearer = token if token is not None else self._token
        sent = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if bearer:
            sent["authorization"] = f"Bearer {bearer}"
        return self._http.post(self.url, content=content, headers={**sent, **(headers or {})})

    def rpc(self, method: str, params: Json | None = None, **headers: str) -> Json:
        answer: Json = self.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}, headers=headers).json()
        assert answer["id"] == 7
        return answer

    def call(self, tool: str, **arguments: Any) -> Json:
        result: Json = self.rpc("tools/call", {"name": tool, "arguments": arguments})["result"]
        return result


@pytest.fixture
def http(aws: Aws) -> Iterator[httpx2.Client]:
    import ssl

    with httpx2.Client(verify=ssl.create_default_context(cafile=str(aws.account.authority.ca_file)), trust_env=False) as client:
        yield client


@pytest.fixture
def caller_of(http: httpx2.Client, issuer: Issuer) -> Callable[..., Caller]:
    """A caller of a gateway with a token that it accepts."""
    return lambda gateway, token=None: Caller(http, gateway, issuer.token() if token is None else token)
