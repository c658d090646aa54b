"""Check that the bucket's name is free or ours, or that the bucket the user named exists and is closed to others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from sre_agent_deploy import blueprint
from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_bucket_settings import read_encryption
from sre_core.problem import Problem

type Holder = Literal["none", "us", "stranger"]


@dataclass(frozen=True)
class BucketFacts:
    """The owner of the bucket's name. `taken` is set where it is another account, `key` where a named bucket encrypts with a key of KMS."""

    bucket: str
    named: bool
    holder: Holder
    taken: Problem | None = None
    key: str = ""
    usable_key: str = ""
    """The key that the roles of the deployment may use: gateway.kms_key_arn."""


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
        owner = found.owner(world.deployment) if found else "none"
        key = _find_key(world, found.seen.encryption) if found and named else ""
        return key if isinstance(key, Problem) else BucketFacts(name, named, owner, key=key, usable_key=world.config.gateway.kms_key_arn)

    def judge(self, facts: BucketFacts) -> Verdict:
        if facts.taken:
            return Verdict(False, f"bucket {facts.bucket} belongs to another account", facts.taken)
        if facts.key not in ("", facts.usable_key):
            problem = _key_of_theirs(facts.bucket, facts.key, facts.usable_key)
            return Verdict(False, f"bucket {facts.bucket} encrypts with a key that the deployment may not use", problem)
        if facts.named:
            there = facts.holder != "none"
            return Verdict(there, _describe(there, facts.bucket), None if there else _named_missing(facts.bucket))
        if facts.holder == "stranger":
            return Verdict(False, f"bucket {facts.bucket} is there and is not this deployment's", _not_ours(facts.bucket))
        ours = facts.holder == "us"
        return Verdict(True, f"bucket {facts.bucket} is this deployment's" if ours else f"the bucket name {facts.bucket} is free")


@dataclass(frozen=True)
class NamedBucketFacts:
    """The bucket that the user named: policy, whether public access is blocked, default encryption. `there` is False if it is absent."""

    bucket: str
    partition: str
    there: bool = False
    policy: Mapping[str, Any] | None = None
    closed: bool = False
    encryption: str = ""


class BucketProtected:
    """The named bucket is as closed as one that is created: TLS only, never public, encrypted."""

    id: ClassVar[str] = "s3.bucket_protected"
    proves: ClassVar[str] = "the named bucket refuses plain HTTP and public access, and encrypts what is stored"
    requirements: ClassVar[tuple[str, ...]] = ("3.4",)
    # It is not the deployment's to change, and works as it is.
    required: ClassVar[bool] = False

    def probe(self, world: Context) -> NamedBucketFacts | Problem:
        name = world.config.gateway.s3_bucket
        found = ask(lambda: S3Bucket.read(world.aws, name, "bucket"), "s3:GetBucketPolicy", failures=S3Bucket.FAILURES)
        if found is None or isinstance(found, Problem):
            return found or NamedBucketFacts(name, world.aws.partition)
        s3 = world.aws.client("s3")
        policy = ask(lambda: or_none(lambda: s3.get_bucket_policy(Bucket=name)["Policy"], ("NoSuchBucketPolicy",)), "s3:GetBucketPolicy")
        if isinstance(policy, Problem):
            return policy
        document = json.loads(policy) if policy else None
        return NamedBucketFacts(name, world.aws.partition, True, document, found.seen.closed, found.seen.encryption)

    def judge(self, facts: NamedBucketFacts) -> Verdict:
        if not facts.there:
            return Verdict(None, _describe(False, facts.bucket), _named_missing(facts.bucket))
        gaps = list_gaps(facts)
        if gaps:
            return Verdict(False, f"bucket {facts.bucket}: {', '.join(gaps)}", _unprotected(facts, gaps))
        return Verdict(True, f"bucket {facts.bucket} refuses plain HTTP and public access, and encrypts what is stored")


@dataclass(frozen=True)
class BackupsBucketFacts:
    """The bucket that backups.bucket names; `region` is empty without one, `key` is set where it needs one of KMS."""

    bucket: str
    region: str
    wanted: str
    key: str = ""


class BackupsBucketUsable:
    """The bucket of the backups exists, in the region of the deployment, and encrypts with no key that the machine may not use."""

    id: ClassVar[str] = "s3.backups_bucket"
    proves: ClassVar[str] = "the bucket that backups.bucket names exists in this region, and needs no key that the machine may not use"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> BackupsBucketFacts | Problem:
        name, s3 = world.config.backups.bucket, world.aws.client("s3")
        found = ask(lambda: or_none(lambda: s3.head_bucket(Bucket=name), ("404", "NoSuchBucket")), "s3:ListBucket")
        if isinstance(found, Problem):
            return found
        region = str(found.get("BucketRegion", world.aws.region)) if found else ""
        facts = BackupsBucketFacts(name, region, world.aws.region)
        # With gateway.kms_key_arn each backup names that key, with any default of the bucket.
        if region != world.aws.region or world.config.gateway.kms_key_arn:
            return facts
        encryption = ask(lambda: read_encryption(world.aws, name), "s3:GetEncryptionConfiguration")
        key = encryption if isinstance(encryption, Problem) else _find_key(world, encryption)
        return key if isinstance(key, Problem) else replace(facts, key=key)

    def judge(self, facts: BackupsBucketFacts) -> Verdict:
        there = facts.region == facts.wanted
        if there and facts.key:
            problem = _key_of_theirs(facts.bucket, facts.key, "", setting="backups.bucket", could="store no backup")
            return Verdict(False, f"bucket {facts.bucket} encrypts with a key that the deployment may not use", problem)
        return Verdict(there, _describe(there, facts.bucket), None if there else _named_missing(facts.bucket, "backups.bucket"))


def list_gaps(facts: NamedBucketFacts) -> dict[str, str]:
    """Map what a bucket lacks to what to add (pure)."""
    arn = f"arn:{facts.partition}:s3:::{facts.bucket}"
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    refuses = any(_refuses_plain_http(each, arn) for each in _statements(facts.policy))
    block = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
    public = f"aws s3api put-public-access-block --bucket {facts.bucket} --public-access-block-configuration {block}"
    gaps = {
        "plain HTTP is not refused": "" if refuses else f"Add to its policy: {json.dumps(deny)}",
        "public access is not blocked": "" if facts.closed else f"Block public access: {public}",
        "nothing is encrypted by default": f"Encrypt by default: {_encrypt(facts.bucket)}" if facts.encryption in ("", "none") else "",
    }
    return {gap: addition for gap, addition in gaps.items() if addition}


def _encrypt(bucket: str) -> str:
    rules = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
    return f"aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration '{rules}'"


def _statements(policy: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    found = (policy or {}).get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _refuses_plain_http(statement: Mapping[str, Any], arn: str) -> bool:
    """Say if a statement denies every action on all objects over plain HTTP to everybody."""
    conditions = statement.get("Condition", {})
    transport = {key.lower(): value for key, value in conditions.get("Bool", {}).items()}
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and _has(statement.get("Action"), "s3:*", "*")
        and _has(statement.get("Resource"), f"{arn}/*", f"{arn}*", "*")
        and (list(conditions), list(transport)) == (["Bool"], ["aws:securetransport"])
        and _has(transport["aws:securetransport"], "false", False)
    )


def _has(value: Any, *wanted: str | bool) -> bool:
    return any(each in wanted for each in (value if isinstance(value, list) else [value]))


def _find_key(world: Context, encryption: str) -> str | Problem:
    """Return the ARN of the KMS key in a bucket's default encryption, which S3 shows as it was set; empty for keys of S3 and AWS."""
    _, key, *_ = (*encryption.split(), "", "")
    if not key or key.endswith("alias/aws/s3"):
        return ""
    if "alias/" not in key or not world.config.gateway.kms_key_arn:
        return key if ":" in key or "/" in key else f"arn:{world.aws.partition}:kms:{world.aws.region}:{world.aws.account_id}:key/{key}"
    return ask(lambda: str(world.aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"]), "kms:DescribeKey")


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


def _named_missing(bucket: str, setting: str = "gateway.s3_bucket") -> Problem:
    return Problem(
        code="S3-NAMED-NOT-FOUND",
        what=f"The bucket {bucket}, which {setting} names, does not exist in this region.",
        why="A bucket that is named is used and never created; its name is misspelled, or it was deleted.",
        do=(
            f"Correct {setting} (`aws s3 ls` lists your buckets), or leave it empty: the deployment then uses its own.",
            f"Or create it: `aws s3 mb s3://{bucket}`.",
        ),
    )


def _key_of_theirs(
    bucket: str, key: str, usable_key: str, *, setting: str = "gateway.s3_bucket", could: str = "not read its release, nor report"
) -> Problem:
    named = f"names {usable_key}" if usable_key else "is empty"
    arn = f"the ARN of {key}" if "alias/" in key else key
    return Problem(
        code="S3-NAMED-KEY",
        what=f"The bucket {bucket}, which {setting} names, encrypts with the KMS key {key}.",
        why=f"gateway.kms_key_arn {named}, and the machine may use that key only: it could {could}.",
        do=(
            f"Set gateway.kms_key_arn to {arn}: the roles of the deployment may then use this key, through S3 alone.",
            f"Or encrypt the bucket with S3's own keys: {_encrypt(bucket)}",
        ),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
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


def _unprotected(facts: NamedBucketFacts, gaps: Mapping[str, str]) -> Problem:
    return Problem(
        code="S3-NAMED-UNPROTECTED",
        what=f"The bucket {facts.bucket}, which gateway.s3_bucket names, is less protected than one that the deployment creates.",
        why=f"In it: {', '.join(gaps)}. A bucket that is named is never changed.",
        do=tuple(gaps.values()),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html",
    )
