"""An AWS of this folder's own, to which a file says what is to go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws, served


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One start with the rules below. No two tests call the same struck operation."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faults.json").write_text(json.dumps({"seed": 7, "rules": RULES}))
    with served(folder, "--faults", str(folder / "faults.json"), "--no-boot") as aws:
        yield aws


def rule(kind: str, service: str, operation: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "service": service, "operation": operation, **more}


# Each strikes the first call of an operation, so that the second shows what AWS really did.
RULES = [
    rule("throttle", "ec2", "DescribeVpcs", nth=1),
    rule("throttle", "s3", "ListBuckets", nth=1),
    rule("throttle", "iam", "ListPolicies", nth=1),
    rule("throttle", "cognito-idp", "ListUserPools", nth=1),
    rule("throttle", "bedrock-agentcore", "ListGateways", nth=1),
    rule("throttle", "secretsmanager", "DescribeSecret", nth=1),
    rule("throttle", "route53", "ListHostedZones", nth=1),
    rule("server_error", "ec2", "DescribeSubnets", nth=1),
    rule("server_error", "s3", "HeadBucket", nth=1),
    rule("server_error", "ec2", "CreateKeyPair", nth=1, committed=True),
    rule("cut", "s3", "CreateBucket", nth=1),
    rule("cut", "s3", "CreateBucket", nth=2, committed=True),
    rule("cut", "bedrock-agentcore", "ListApiKeyCredentialProviders", nth=1),
    rule("quota", "ec2", "AllocateAddress", nth=1),
    rule("capacity", "*", "*", instance_type="t9.*", zone="us-east-1a"),
    rule("unsupported", "*", "*", instance_type="t9.*", zone="us-east-1b"),
    rule("quota", "bedrock-agentcore", "CreateGateway", nth=1),
    rule("delay", "sts", "GetCallerIdentity", nth=1, seconds=0.3),
    rule("propagation", "*", "*", seconds=8.0),
    rule("lag", "ec2", "*", seconds=8.0),
    rule("lag", "iam", "*Role*", seconds=8.0),
    rule("lag", "secretsmanager", "*", seconds=8.0),
    rule("linger", "cognito-idp", "*UserPoolDomain", seconds=3.0),
]


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[tuple[EmbeddedAws, Path]]:
    """A start without rules, and the file that it follows."""
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": []}))
    with served(tmp_path, "--faults", str(file), "--no-boot") as aws:
        yield aws, file
