"""A gateway behind the daemon itself, made with AWS's own clients: what an unmodified client meets."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from embedded_aws.authority import LocalAuthority
from fixtures import preloaded

type Json = dict[str, Any]

TRUST = {"Effect": "Allow", "Principal": {"Service": "bedrock-agentcore.amazonaws.com"}, "Action": "sts:AssumeRole"}
ALLOWED = {
    "Effect": "Allow",
    "Action": ["bedrock-agentcore:GetWorkloadAccessToken", "bedrock-agentcore:GetResourceApiKey", "secretsmanager:GetSecretValue"],
    "Resource": "*",
}


@dataclass(frozen=True)
class Daemon:
    """A running `python -m embedded_aws`."""

    registry: Json

    def client(self, service: str) -> Any:
        parts = self.registry
        return boto3.client(
            service,
            region_name=parts["region"],
            endpoint_url=parts["endpoint"],
            verify=parts["ca_file"],
            aws_access_key_id=parts["access_key_id"],
            aws_secret_access_key=parts["secret_access_key"],
        )


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon as a user starts it, and stopped as a user stops it."""
    command = preloaded.command("embedded_aws")
    place = ["--state-dir", str(tmp_path_factory.mktemp("daemon"))]
    started = subprocess.run([*command, "start", *place], check=True, capture_output=True, text=True)
    yield Daemon(json.loads(started.stdout))
    subprocess.run([*command, "stop", *place], check=True, capture_output=True)


class _Pods(BaseHTTPRequestHandler):
    """A backend of one operation."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "key": self.headers["X-API-Key"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="session")
def backend(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """An HTTPS server on an Elastic IP, and the PEM of the private CA that signed its certificate."""
    address = daemon.client("ec2").allocate_address(Domain="vpc")["PublicIp"]
    folder = tmp_path_factory.mktemp("backend")
    certificate = LocalAuthority(folder / "ca.pem").issue(address)
    (folder / "server.pem").write_text(certificate.key + certificate.chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server = ThreadingHTTPServer((address, 0), _Pods)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://{address}:{server.server_port}", (folder / "ca.pem").read_text()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Gateway:
    """A gateway with one tool, and how to get in."""

    url: str
    token: str
    ca_file: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that the client programs read; the token is in no command line."""
        return {
            "GATEWAY_URL": self.url,
            "GATEWAY_TOKEN": self.token,
            "SSL_CERT_FILE": str(self.ca_file),
            "TOOL": "pods___get_pod_status",
            "ARGUMENTS": '{"pod_name": "web-1"}',
        }


@pytest.fixture(scope="session")
def gateway(daemon: Daemon, backend: tuple[str, str]) -> Gateway:
    """Everything between a Cognito client and the backend, made through boto3."""
    discovery_url, client_id, token = _cognito(daemon)
    made = _ready_gateway(daemon, discovery_url, client_id)
    _ready_target(daemon, made["gatewayId"], backend)
    return Gateway(made["gatewayUrl"], token, Path(daemon.registry["ca_file"]))


def _cognito(daemon: Daemon) -> tuple[str, str, str]:
    """The discovery URL of a new pool, its one machine client, and a token of that client."""
    cognito = daemon.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="contracts")["UserPool"]["Id"]
    cognito.create_user_pool_domain(UserPoolId=pool, Domain=f"contracts-{int(time.time())}")
    scopes = [{"ScopeName": "invoke", "ScopeDescription": "Call tools"}]
    cognito.create_resource_server(UserPoolId=pool, Identifier="contracts", Name="contracts", Scopes=scopes)
    machine = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="machine",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["contracts/invoke"],
    )["UserPoolClient"]
    discovery_url = f"{daemon.registry['endpoint']}/{pool}/.well-known/openid-configuration"
    context = ssl.create_default_context(cafile=daemon.registry["ca_file"])
    with urllib.request.urlopen(discovery_url, context=context) as answer:
        token_endpoint = json.load(answer)["token_endpoint"]
    secret = base64.b64encode(f"{machine['ClientId']}:{machine['ClientSecret']}".encode()).decode()
    headers = {"authorization": f"Basic {secret}", "content-type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(token_endpoint, b"grant_type=client_credentials&scope=contracts/invoke", headers)
    with urllib.request.urlopen(request, context=context) as answer:
        return discovery_url, machine["ClientId"], json.load(answer)["access_token"]


def _ready_gateway(daemon: Daemon, discovery_url: str, client_id: str) -> Json:
    iam, control = daemon.client("iam"), daemon.client("bedrock-agentcore-control")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = iam.create_role(RoleName="contracts", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [ALLOWED]})
    iam.put_role_policy(RoleName="contracts", PolicyName="contracts", PolicyDocument=allowed)
    made = control.create_gateway(
        name="contracts",
        roleArn=role,
        protocolType="MCP",
        authorizerType="CUSTOM_JWT",
        authorizerConfiguration={"customJWTAuthorizer": {"discoveryUrl": discovery_url, "allowedClients": [client_id]}},
    )
    return _when_ready(lambda: control.get_gateway(gatewayIdentifier=made["gatewayId"]))


def _ready_target(daemon: Daemon, gateway_id: str, backend: tuple[str, str]) -> Json:
    url, ca = backend
    control = daemon.client("bedrock-agentcore-control")
    provider = control.create_api_key_credential_provider(name="contracts", apiKey="the-key")
    key = {
        "providerArn": provider["credentialProviderArn"],
        "credentialLocation": "HEADER",
        "credentialParameterName": "X-API-Key",
    }
    secret = daemon.client("secretsmanager").create_secret(Name="contracts-ca", SecretString=ca)
    target = control.create_gateway_target(
        gatewayIdentifier=gateway_id,
        name="pods",
        targetConfiguration={"mcp": {"openApiSchema": {"inlinePayload": json.dumps(_document(url))}}},
        credentialProviderConfigurations=[{"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": key}}],
        certificateConfigurations=[{"secretsManager": {"secretArn": secret["ARN"]}}],
    )
    return _when_ready(lambda: control.get_gateway_target(gatewayIdentifier=gateway_id, targetId=target["targetId"]))


def _document(url: str) -> Json:
    pod_name = {"name": "pod_name", "in": "query", "required": True, "schema": {"type": "string"}}
    operation = {"operationId": "get_pod_status", "summary": "Status of a pod", "parameters": [pod_name], "responses": {}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pods", "version": "1"},
        "servers": [{"url": url}],
        "paths": {"/pods": {"get": operation}},
    }


def _when_ready(look: Any) -> Json:
    for _ in range(200):
        seen: Json = look()
        if seen["status"] == "READY":
            return seen
        time.sleep(0.05)
    raise AssertionError(seen)
