"""Which Amazon Machine Image an operating system's publisher calls the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_PARAMETERS = {
    "amazon-linux-2023": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "ubuntu-22.04": "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
}


def latest_image(aws: Aws, operating_system: str) -> str:
    """The AMI id behind the publisher's public parameter. Raises KeyError for an operating system that is not supported."""
    return aws.client("ssm").get_parameter(Name=_PARAMETERS[operating_system])["Parameter"]["Value"]
