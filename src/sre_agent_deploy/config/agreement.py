"""Fields that must agree, and fields that are required."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent_deploy.config.fault import Fault, FieldPath, dotted
from sre_agent_deploy.config.regions import known_regions, partition_of


def required(field: str, example: str, why: str) -> Fault:
    """The fault of a field that has to be filled in."""
    return Fault(
        code="CONFIG-REQUIRED",
        path=(field,),
        what=f"{field} is required and empty.",
        why=why,
        do=(f"Add it, like this: {field}: {example}",),
        at_key=True,
    )


def arn_faults(path: FieldPath, arn: str, *, account_id: str, region: str) -> Iterator[Fault]:
    """Account, region and partition of an ARN are those of the deployment."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return
    _, partition, _, arn_region, arn_account, resource = parts
    wanted = partition_of(region) if region in known_regions() else partition
    theirs = {"partition": (partition, wanted), "region": (arn_region, region), "account": (arn_account, account_id)}
    differing = [name for name, (has, should) in theirs.items() if has and should and has != should]
    if differing:
        corrected = ":".join(("arn", wanted, parts[2], arn_region and region, account_id or arn_account, resource))
        yield Fault(
            code="CONFIG-MISMATCH",
            path=path,
            what=f"{dotted(path)} is in another {' and '.join(differing)} than aws.account_id and aws.region say.",
            why="Everything of one deployment is in one account and one region.",
            do=("Correct whichever of them is wrong.", "The parts of an ARN are arn:partition:service:region:account:resource."),
            correction=corrected,
            aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
        )
