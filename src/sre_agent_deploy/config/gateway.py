"""The Amazon Bedrock AgentCore Gateway and the bucket its targets read from."""

from __future__ import annotations

from sre_agent_deploy.config.section import Section, described


class GatewayConfig(Section):
    """The gateway through which the assistant reaches its tools."""

    gateway_name: str = described(
        "",
        "Name of the gateway; empty derives it from the deployment's name.",
        example="sre-gateway",
        console="Bedrock AgentCore > Gateways",
    )
    description: str = described("SRE assistant tools", "Description of the gateway.", example="SRE assistant tools")
    s3_bucket: str = described(
        "",
        "An existing S3 bucket for OpenAPI documents and releases; empty creates one.",
        example="sre-specs-123456789012",
        console="S3 > Buckets",
    )
    s3_path_prefix: str = described("sre-agent", "Key prefix of everything that is put into the bucket.", example="sre-agent")
    provider_arn: str = described(
        "",
        "An existing API key credential provider; empty creates one.",
        example="arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/sre",
        console="Bedrock AgentCore > Identity",
    )
    search: bool = described(False, "Semantic tool search; can only be chosen when the gateway is created.", example="false")
    debug: bool = described(False, "Detailed error messages from the gateway (exception level DEBUG).", example="false")
