"""What must be gone before what: the order in which AWS lets a deployment be taken apart (pure).

A test compares it with the Refs of the blueprint and with the order of creation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

FIRST: Mapping[str, tuple[str, ...]] = {
    # A bucket must be empty, and a machine that still runs goes on reporting into it.
    "AWS::S3::Bucket": ("AWS::S3::Object", "AWS::EC2::Instance"),
    # Cognito refuses to delete a pool that has a domain; deleting the pool would take the rest along unseen.
    "AWS::Cognito::UserPool": (
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolResourceServer",
        "AWS::Cognito::UserPoolClient",
        "AWS::BedrockAgentCore::Gateway",
    ),
    "AWS::Cognito::UserPoolResourceServer": ("AWS::Cognito::UserPoolClient",),
    # AgentCore refuses to delete a gateway that has targets, and works with its role until it is gone.
    "AWS::BedrockAgentCore::Gateway": ("AWS::BedrockAgentCore::GatewayTarget",),
    "AWS::BedrockAgentCore::ApiKeyCredentialProvider": ("AWS::BedrockAgentCore::GatewayTarget",),
    "AWS::SecretsManager::Secret": ("AWS::BedrockAgentCore::ApiKeyCredentialProvider", "AWS::EC2::Instance"),
    "AWS::IAM::Role": ("AWS::BedrockAgentCore::Gateway", "AWS::IAM::InstanceProfile"),
    "AWS::IAM::InstanceProfile": ("AWS::EC2::Instance",),
    # A security group stays in use until the machine's network interface is gone.
    "AWS::EC2::SecurityGroup": ("AWS::EC2::Instance",),
    "AWS::EC2::Instance": ("AWS::EC2::EIPAssociation",),
    # A name that points to an address which somebody else may get next would lead our users to them.
    "AWS::EC2::EIP": ("AWS::EC2::EIPAssociation", "AWS::Route53::RecordSet"),
}


def sorter(kinds: Iterable[str]) -> TopologicalSorter[str]:
    """Kinds, each after those that must be gone before it; ready to be walked in parallel."""
    sorter = TopologicalSorter({kind: FIRST.get(kind, ()) for kind in kinds})
    sorter.prepare()
    return sorter
