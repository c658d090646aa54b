"""One machine, described with values that need care."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sre_agent_deploy.instance.machine import Machine, SecretRef


@pytest.fixture
def machine() -> Machine:
    """A machine with every value that the release asks for."""
    return Machine(
        deployment_id="sre-3f9a2c41d7",
        name="instance",
        region="us-east-1",
        release_uri="s3://bucket/sre-3f9a2c41d7/releases/" + "0" * 64 + ".zip",
        release_sha256="0" * 64,
        status_uri="s3://bucket/sre-3f9a2c41d7/status/",
        environment={
            "SRE_RECORDING": "crash-loop",
            "GATEWAY_URL": "https://gateway.example.com/mcp",
            "OIDC_DISCOVERY_URL": "https://cognito-idp.us-east-1.amazonaws.com/pool/.well-known/openid-configuration",
            "GATEWAY_CLIENT_ID": "1a2b3c",
            "GATEWAY_SCOPE": "sre-agent/gateway.invoke",
            "CALLER_CLIENT_ID": "4d5e6f",
            "CALLER_SCOPE": "sre-agent/assistant.invoke",
        },
        credentials={
            "backend-api-key": SecretRef("arn:aws:secretsmanager:us-east-1:123456789012:secret:sre/backend-AbCdEf", "api_key"),
            "gateway-client-secret": SecretRef("arn:aws:secretsmanager:us-east-1:123456789012:secret:sre/client-AbCdEf", "client_secret"),
        },
        certificate=SecretRef("arn:aws:secretsmanager:us-east-1:123456789012:secret:sre/certificate-AbCdEf"),
        domain="sre.example.com",
    )


@pytest.fixture
def aws_cli() -> Path:
    """The AWS CLI that is installed beside this Python."""
    return Path(sys.executable).with_name("aws")


@pytest.fixture
def client(aws_cli: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """AWS clients of an AWS that the AWS CLI reaches too, by its usual variables and PATH."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("PATH", f"{aws_cli.parent}:{os.defpath}")
    yield lambda service: boto3.client(service, region_name="us-east-1")
    server.stop()


@pytest.fixture
def s3(client: Callable[[str], Any]) -> Any:
    """S3, with a bucket of the name `bucket`."""
    made = client("s3")
    made.create_bucket(Bucket="bucket")
    return made
