"""One machine, described with values that need care."""

from __future__ import annotations

import pytest

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
