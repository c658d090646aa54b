"""The Amazon Bedrock AgentCore Gateway and the bucket its targets read from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent_deploy.config.bucket_name import bucket_faults
from sre_agent_deploy.config.fault import Fault, Mode
from sre_agent_deploy.config.section import Section, described
from sre_agent_deploy.config.syntax_of_values import GATEWAY_NAME, PROVIDER_ARN

LONGEST_DESCRIPTION = 200


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

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Names as AgentCore and S3 accept them."""
        yield from GATEWAY_NAME.faults("gateway_name", self.gateway_name)
        yield from PROVIDER_ARN.faults("provider_arn", self.provider_arn)
        yield from bucket_faults("s3_bucket", self.s3_bucket)
        if len(self.description) > LONGEST_DESCRIPTION:
            yield Fault(
                code="CONFIG-DESCRIPTION",
                path=("description",),
                what=f"description is longer than {LONGEST_DESCRIPTION} characters.",
                why="CreateGateway accepts no longer one.",
                do=("Shorten it.",),
                correction="SRE assistant tools",
            )
        if not re.fullmatch(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*|", self.s3_path_prefix):
            yield Fault(
                code="CONFIG-S3-PREFIX",
                path=("s3_path_prefix",),
                what="s3_path_prefix can't be used.",
                why="It must be parts of letters, digits and safe characters with / between them, not at either end.",
                do=("Write it like this: sre-agent/specs",),
                correction="sre-agent/specs",
                aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
            )
