"""Check that the bucket's name is free or ours, or that the bucket the user named exists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from sre_agent_deploy import blueprint
from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.problem import Problem

type Holder = Literal["none", "us", "stranger"]


@dataclass(frozen=True)
class BucketFacts:
    """The owner of the bucket's name. `taken` is set where it is another account."""

    bucket: str
    named: bool
    holder: Holder
    taken: Problem | None = None


class BucketUsable:
    """The bucket can be created, or used as configured."""

    id: ClassVar[str] = "s3.bucket"
    proves: ClassVar[str] = "the bucket's name is free or ours, or the named bucket exists"
    requirements: ClassVar[tuple[str, ...]] = ("3.4", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> BucketFacts | Problem:
        item = blueprint.bucket(world.config, world.deployment)
        name, named = item.resource.natural_id(world.aws), bool(item.named)
        found = ask(lambda: S3Bucket.read(world.aws, name, item.name), "s3:ListBucket", subject=item.resource, failures=S3Bucket.FAILURES)
        if isinstance(found, Problem) and found.code == "S3-NAME-TAKEN":
            free = tuple(other for other in S3Bucket(name=item.name, bucket_name=name).alternatives() if _is_free(world, other))
            return BucketFacts(name, named, "stranger", _with_free_names(found, free))
        if isinstance(found, Problem):
            return found
        return BucketFacts(name, named, found.owner(world.deployment) if found else "none")

    def judge(self, facts: BucketFacts) -> Verdict:
        if facts.taken:
            return Verdict(False, f"bucket {facts.bucket} belongs to another account", facts.taken)
        if facts.named:
            there = facts.holder != "none"
            return Verdict(there, _describe(there, facts.bucket), None if there else _named_missing(facts.bucket))
        if facts.holder == "stranger":
            return Verdict(False, f"bucket {facts.bucket} is there and is not this deployment's", _not_ours(facts.bucket))
        ours = facts.holder == "us"
        return Verdict(True, f"bucket {facts.bucket} is this deployment's" if ours else f"the bucket name {facts.bucket} is free")


def _is_free(world: Context, bucket: str) -> bool:
    """Say if the name is free: S3 answers 404 for a name without a bucket, and 403 for another account's."""
    answer = ask(lambda: or_none(lambda: world.aws.client("s3").head_bucket(Bucket=bucket), ("404",)), "s3:ListBucket")
    return answer is None


def _with_free_names(taken: Problem, free: tuple[str, ...]) -> Problem:
    """Offer names that are free at this moment."""
    if not free:
        return taken
    return replace(
        taken, do=(f"Create one of these, which are free now, and name it in gateway.s3_bucket: {', '.join(free)}.", *taken.do[1:])
    )


def _describe(there: bool, bucket: str) -> str:
    return f"bucket {bucket} is there" if there else f"bucket {bucket} does not exist"


def _named_missing(bucket: str) -> Problem:
    return Problem(
        code="S3-NAMED-NOT-FOUND",
        what=f"The bucket {bucket}, which gateway.s3_bucket names, does not exist.",
        why="A bucket that is named is used and never created; its name is misspelled, or it was deleted.",
        do=(
            "Correct gateway.s3_bucket (`aws s3 ls` lists your buckets), or leave it empty to have one created.",
            f"Or create it: `aws s3 mb s3://{bucket}`.",
        ),
    )


def _not_ours(bucket: str) -> Problem:
    return Problem(
        code="S3-BUCKET-NOT-OURS",
        what=f"A bucket {bucket} exists in this account and is not this deployment's.",
        why="It carries no tag of this deployment: it was made by hand or by another tool.",
        do=(
            f"To use it, name it: gateway.s3_bucket: {bucket}. It is then never changed or deleted.",
            "Or set `name` to another name for this deployment, or delete that bucket if it is not needed.",
        ),
    )
