"""Where to deploy: account, region, and what is used there rather than created."""

from __future__ import annotations

from sre_agent_deploy.config.section import Section, described


class AWSConfig(Section):
    """The AWS account and region of the deployment."""

    account_id: str = described(
        "", "The 12-digit ID of the AWS account.", example="123456789012", console="Account menu (top right) > Account ID"
    )
    region: str = described("us-east-1", "The AWS Region for every resource.", example="us-east-1", console="Region menu (top right)")
    role_name: str = described(
        "",
        "Name or ARN of an existing IAM role for the gateway; empty creates one.",
        example="arn:aws:iam::123456789012:role/sre-gateway",
        console="IAM > Roles",
    )
    endpoint_url: str = described("", "An AWS endpoint other than AWS's own; empty for AWS.", example="https://127.0.0.1:4566")
    vpc_id: str = described("", "An existing VPC; empty uses the default VPC.", example="vpc-0a1b2c3d4e5f60718", console="VPC > Your VPCs")
    subnet_id: str = described(
        "",
        "A public subnet of that VPC; empty uses one of its default subnets.",
        example="subnet-0a1b2c3d4e5f60718",
        console="VPC > Subnets",
    )
