"""How long calls to AWS take in this bench: a table as of 2026-11-22, in seconds a call.

S3 is AWS's own figure for first-byte latency of small objects, 0.1-0.2 s
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html). For control planes AWS publishes none.
The other rows are round assumptions for a client in the same continent: a read is one network round trip and a lookup; a
write is slower; what makes a machine, a pool or a gateway slower still, as the durations that LocalStack's tests record against
real AWS show (github.com/localstack/localstack, tests/aws/services/*/*.validation.json). The budgets are ratios: they judge how
calls are ordered, not how long one takes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Latency:
    """The first row that fits a call holds. `service` is what requests are signed for."""

    service: str
    operation: str
    seconds: float


TABLE = (
    Latency("s3", "CreateBucket", 0.5),
    Latency("s3", "*", 0.15),
    Latency("ec2", "RunInstances", 1.5),
    Latency("ec2", "Describe*", 0.2),
    Latency("ec2", "*", 0.4),
    Latency("iam", "[GL]*", 0.15),
    Latency("iam", "*", 0.25),
    Latency("cognito-idp", "CreateUserPool", 0.6),
    Latency("cognito-idp", "CreateUserPoolDomain", 0.6),
    Latency("cognito-idp", "*", 0.2),
    Latency("secretsmanager", "*", 0.2),
    Latency("bedrock-agentcore", "Create*", 0.6),
    Latency("bedrock-agentcore", "*", 0.2),
)


def seconds_of(service: str, operation: str) -> float:
    """What a call costs; nothing where the table has no row."""
    fitting = (row.seconds for row in TABLE if fnmatchcase(service, row.service) and fnmatchcase(operation, row.operation))
    return next(fitting, 0.0)


def rules() -> dict[str, object]:
    """The table as fault rules of the AWS on this machine: the last delay that strikes a call holds, so rows go last first."""
    return {"rules": [{"kind": "delay", **asdict(row)} for row in reversed(TABLE)]}
