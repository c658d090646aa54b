"""AWS::S3::Bucket"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none, read_together
from sre_agent_deploy.later import PARTITION
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    Waiting,
    cfn,
    tags_of,
)
from sre_agent_deploy.resources import policy_document
from sre_agent_deploy.resources.s3_bucket_settings import (
    OLD_FILES,
    OLD_VERSIONS,
    bucket_policy,
    cors_rule,
    encryption_rules,
    encryption_template,
    find_trail,
    lifecycle_rules,
    lifecycle_template,
    log_settings,
    name_encryption,
    put_cors,
    read_access_log,
    read_cors,
    read_encryption,
    read_lifecycle,
    read_policy,
)
from sre_agent_deploy.resources.s3_content import VERSIONS_REFUSED, delete_versions, find_lock
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_CLOSED: Any = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


@dataclass(frozen=True, kw_only=True)
class S3Bucket(Defaults):
    """Keeps the OpenAPI files that gateway targets read, the releases and what machines report, or a trail. TLS only, never public."""

    KIND: ClassVar[str] = "AWS::S3::Bucket"
    UNIQUE: ClassVar[bool] = True
    # In us-east-1, S3 answers 200 where this account has the bucket already: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    ADOPTS_SILENTLY: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"bucket_name"})
    # A new bucket is not known everywhere at once.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"NoSuchBucket"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteBucket", "BucketNotEmpty"), VERSIONS_REFUSED})
    MOST_TAGS: ClassVar[int] = 50
    LOSES: ClassVar[str] = "data"
    CONFIGURED_BY: ClassVar[str] = "gateway.s3_bucket"
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"bucket_name"})
    EXEMPT: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("tls_only", "closed", "acl", "lifecycle"), "a new bucket has it; only what AWS has can be otherwise"
    )

    name: str
    bucket_name: str
    tls_only: bool = True
    closed: bool = True
    """All four settings of Block Public Access are on."""
    ownership: str = "BucketOwnerEnforced"
    acl: str = "private"
    encryption: str = "AES256"
    """`AES256`, or `aws:kms` and the ARN of a key."""
    versioning: str = "Off"
    old_version_days: int = 0
    """Days after which a version that was replaced or deleted is removed; 0 for no such rule."""
    lifecycle: tuple[str, ...] = ()
    """Lifecycle rules other than that one."""
    cors_origins: tuple[str, ...] = ()
    """Web pages of these origins may read with GET and HEAD, if they have a signature."""
    access_log: str = ""
    """Target bucket and prefix of S3's server access log: `BUCKET/PREFIX`."""
    trail_arn: str = ""
    """The trail of CloudTrail that keeps its log files in it."""
    expire_days: int = 0
    """Days after which a file is deleted; 0 for never."""

    def natural_id(self, aws: Aws) -> str:
        return self.bucket_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # Our bucket names begin with the deployment id, so only those few are asked for their tags. A listing shows the buckets of
        # every region unless one is named, and a deployment is in one.
        pages = aws.client("s3").get_paginator("list_buckets").paginate(BucketRegion=aws.region)
        buckets = [bucket for page in pages for bucket in page.get("Buckets", []) if bucket["Name"].startswith(deployment)]
        tagged = [(bucket, _read_tags(aws, bucket["Name"])) for bucket in buckets]
        ours = [(bucket, tags) for bucket, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment]
        return tuple(Owned.tagged(bucket["Name"], tags, bucket["CreationDate"]) for bucket, tags in ours)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        if or_none(lambda: aws.client("s3").head_bucket(Bucket=id), ("404", "NoSuchBucket")) is None:
            return None
        readers = (read_policy, _read_closed, _read_ownership, _read_acl, read_encryption, _read_versioning, read_lifecycle)
        later = (read_cors, read_access_log, _read_tags)
        settings = read_together(*(partial(read, aws, id) for read in (*readers, *later)))
        policy, closed, ownership, acl, encryption, versioning, rules, cors, access_log, tags = settings
        (old_version_days, expire_days, lifecycle), trail_arn = rules, find_trail(policy)
        seen = cls(
            name=name,
            bucket_name=id,
            tls_only=policy == bucket_policy(aws.partition, id, trail_arn),
            closed=closed,
            ownership=ownership,
            acl=acl,
            encryption=encryption,
            versioning=versioning,
            old_version_days=old_version_days,
            lifecycle=lifecycle,
            cors_origins=cors,
            access_log=access_log,
            trail_arn=trail_arn,
            expire_days=expire_days,
        )
        return Found(id, seen, {"bucket_name": id, "arn": f"arn:{aws.partition}:s3:::{id}"}, tags)

    def create(self, aws: Aws, mark: Mark) -> str:
        # us-east-1 refuses its own name as LocationConstraint, so it gets none.
        settings: Any = {} if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
        settings["Tags"] = mark.tag_list()
        aws.client("s3").create_bucket(Bucket=self.bucket_name, CreateBucketConfiguration=settings)
        return self.bucket_name

    def configure(self, aws: Aws, id: str) -> None:
        aws.client("s3").put_public_access_block(Bucket=id, PublicAccessBlockConfiguration=_CLOSED)
        aws.client("s3").put_bucket_policy(Bucket=id, Policy=json.dumps(bucket_policy(aws.partition, id, self.trail_arn)))
        found = type(self).read(aws, id, self.name)
        if found and found.seen != self:
            self._restore(aws, id, found.seen)

    def _restore(self, aws: Aws, id: str, seen: S3Bucket) -> None:
        """Set what a new bucket lacks, and restore what a user changed."""
        acl: Any = self.acl
        ownership: Any = {"Rules": [{"ObjectOwnership": self.ownership}]}
        encryption: Any = encryption_rules(self.encryption)
        s3 = aws.client("s3")
        # Access lists can be changed only while the bucket has them, and are switched off only if they grant others no access.
        if seen.acl != self.acl:
            s3.put_bucket_acl(Bucket=id, ACL=acl)
        if seen.ownership != self.ownership:
            s3.put_bucket_ownership_controls(Bucket=id, OwnershipControls=ownership)
        if seen.encryption != self.encryption:
            s3.put_bucket_encryption(Bucket=id, ServerSideEncryptionConfiguration=encryption)
        self._restore_versions(aws, id, seen)
        if seen.cors_origins != self.cors_origins:
            put_cors(aws, id, self.cors_origins)
        if seen.access_log != self.access_log:
            s3.put_bucket_logging(Bucket=id, BucketLoggingStatus=log_settings(self.access_log))

    def _restore_versions(self, aws: Aws, id: str, seen: S3Bucket) -> None:
        status: Any = "Enabled" if self.versioning == "Enabled" else "Suspended"
        if seen.versioning != self.versioning:
            aws.client("s3").put_bucket_versioning(Bucket=id, VersioningConfiguration={"Status": status})
        rules: Any = {"Rules": lifecycle_rules(self.old_version_days, self.expire_days)}
        if (seen.old_version_days, seen.expire_days, seen.lifecycle) == (self.old_version_days, self.expire_days, self.lifecycle):
            return
        if rules["Rules"]:
            aws.client("s3").put_bucket_lifecycle_configuration(Bucket=id, LifecycleConfiguration=rules)
        else:
            aws.client("s3").delete_bucket_lifecycle(Bucket=id)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        # S3 replaces all tags at once, and refuses those that AWS itself keeps there.
        merged = changes.merge(_read_tags(aws, id))
        tags: Any = [{"Key": key, "Value": value} for key, value in merged.items() if not key.startswith("aws:")]
        aws.client("s3").put_bucket_tagging(Bucket=id, Tagging={"TagSet": tags})

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        delete_versions(aws, id)
        aws.client("s3").delete_bucket(Bucket=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        kept = find_lock(aws, id)
        if kept or code != "BucketNotEmpty":
            return kept
        return Waiting(f"programs that still write into bucket {id}; it is emptied again")

    def console(self) -> Steps:
        return (
            "S3 > Buckets > Create bucket",
            f"Bucket name: {self.bucket_name}",
            f"Object Ownership: ACLs disabled ({self.ownership}); Bucket Versioning: "
            + {"Off": "Disable", "Enabled": "Enable"}.get(self.versioning, self.versioning),
            "Block Public Access settings: Block all public access",
            f"Default encryption: {name_encryption(self.encryption)}",
            "Create bucket; then Permissions > Bucket policy > Edit, and paste:",
            policy_document.render_indented(bucket_policy(PARTITION, self.bucket_name, self.trail_arn)),
            *self._optional_steps(),
        )

    def _optional_steps(self) -> Steps:
        steps: list[str] = []
        if self.old_version_days:
            steps.append(
                f"Management > Lifecycle rules > Create; name: {OLD_VERSIONS}; all objects; permanently delete noncurrent versions: "
                f"{self.old_version_days} days; delete expired object delete markers"
            )
        if self.expire_days:
            steps.append(
                f"Management > Lifecycle rules > Create; name: {OLD_FILES}; all objects; expire current versions: {self.expire_days} days"
            )
        if self.cors_origins:
            rules = json.dumps([cors_rule(self.cors_origins)])
            steps.append(f"Permissions > Cross-origin resource sharing (CORS) > Edit, and paste: {rules}")
        if self.access_log:
            steps.append(f"Properties > Server access logging > Edit > Enable; destination: s3://{self.access_log}")
        return tuple(steps)

    def template(self) -> CfnResource:
        policy = cfn(
            "AWS::S3::BucketPolicy", Bucket=self.bucket_name, PolicyDocument=bucket_policy(PARTITION, self.bucket_name, self.trail_arn)
        )
        bucket = cfn(
            "AWS::S3::Bucket",
            {"bucket_name": "Ref", "arn": "Arn"},
            BucketName=self.bucket_name,
            PublicAccessBlockConfiguration=_CLOSED,
            OwnershipControls={"Rules": [{"ObjectOwnership": self.ownership}]},
            BucketEncryption=encryption_template(self.encryption),
            **self._optional_properties(),
        )
        return replace(bucket, also={"Policy": policy})

    def _optional_properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        if self.versioning != "Off":
            properties["VersioningConfiguration"] = {"Status": self.versioning}
        if rules := lifecycle_template(self.old_version_days, self.expire_days):
            properties["LifecycleConfiguration"] = {"Rules": rules}
        if self.cors_origins:
            cors = cors_rule(self.cors_origins)
            rule = {"AllowedMethods": cors["AllowedMethods"], "AllowedOrigins": cors["AllowedOrigins"], "MaxAge": cors["MaxAgeSeconds"]}
            properties["CorsConfiguration"] = {"CorsRules": [rule]}
        if self.access_log:
            target = log_settings(self.access_log)["LoggingEnabled"]
            logged = {"DestinationBucketName": target["TargetBucket"], "LogFilePrefix": target["TargetPrefix"]}
            properties["LoggingConfiguration"] = logged
        return properties

    def alternatives(self) -> tuple[str, ...]:
        """Suggest other names for the same bucket."""
        return tuple(f"{self.bucket_name[:58]}-{suffix}" for suffix in ("a", "2", "sre"))

    FAILURES: ClassVar[Failures] = {
        # Lambdas, because _taken is defined below.
        ("CreateBucket", "BucketAlreadyExists"): lambda bucket: _taken(bucket),  # noqa: PLW0108
        ("HeadBucket", "403"): lambda bucket: _taken(bucket),  # noqa: PLW0108
        ("CreateBucket", "BucketAlreadyOwnedByYou"): lambda bucket: Problem(
            code="S3-BUCKET-NOT-OURS",
            what=f"Bucket {bucket.bucket_name} was not created.",
            why="This account has a bucket of that name, which does not carry this deployment's tag.",
            do=("To use it, name it in gateway.s3_bucket; else set another `name:` for this deployment.", "Run the same command again."),
        ),
        ("CreateBucket", "OperationAborted"): lambda bucket: Problem(
            code="S3-NAME-BUSY",
            what=f"Bucket {bucket.bucket_name} was not created.",
            why="A bucket of that name was deleted a short while ago, and S3 has not released the name yet.",
            do=(
                "Wait until the name is released, which usually takes minutes, seldom an hour; then run the same command again.",
                "Or set another `name:` for this deployment.",
            ),
            aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html",
        ),
        ("CreateBucket", "TooManyBuckets"): lambda bucket: Problem(
            code="S3-QUOTA",
            what=f"Bucket {bucket.bucket_name} was not created.",
            why="This account has as many buckets as its quota allows.",
            do=(
                "Delete a bucket, or ask for more under Service Quotas > Amazon S3 > General purpose buckets.",
                "Run the same command again.",
            ),
        ),
        # Lambdas, because _not_logged is defined below.
        ("PutBucketLogging", "InvalidTargetBucketForLogging"): lambda bucket: _not_logged(bucket),  # noqa: PLW0108
        ("PutBucketLogging", "CrossLocationLoggingProhibited"): lambda bucket: _not_logged(bucket),  # noqa: PLW0108
        ("DeleteBucket", "BucketNotEmpty"): lambda _: Problem(
            code="S3-BUCKET-NOT-EMPTY",
            what="The bucket was not deleted.",
            why="It was emptied, and then something was written into it.",
            do=(
                "Find what writes into it (S3 > Buckets, Last modified), and stop it.",
                "Run the same command again; it empties it once more.",
            ),
        ),
    }


def _taken(bucket: S3Bucket) -> Problem:
    return Problem(
        code="S3-NAME-TAKEN",
        what=f"The bucket name {bucket.bucket_name} can't be used.",
        why="Another AWS account owns it (bucket names are shared by everybody), or these credentials may not look at it.",
        do=(
            f"Create a bucket of your own, for example {bucket.alternatives()[0]}, and name it in gateway.s3_bucket.",
            "If no other account has it, allow these credentials s3:ListBucket on it: `sre-agent-deploy iam-policy`.",
            "Run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
    )


def _not_logged(bucket: S3Bucket) -> Problem:
    target, _, prefix = bucket.access_log.partition("/")
    return Problem(
        code="S3-LOG-BUCKET",
        what=f"The access log of bucket {bucket.bucket_name} was not switched on.",
        why=f"Bucket {target} does not exist, is in another region or account, or its policy does not let S3's logging service write.",
        do=(
            f"Allow logging.s3.amazonaws.com s3:PutObject on arn:aws:s3:::{target}/{prefix}* in the policy of {target}: "
            "sre-agent-deploy explain S3-LOG-BUCKET shows the statement.",
            "Or correct gateway.access_log_bucket, or leave it empty.",
            "Run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html",
    )


def _read_tags(aws: Aws, bucket: str) -> dict[str, str]:
    answer = or_none(lambda: aws.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"], ("NoSuchTagSet", "NoSuchBucket"))
    return tags_of(answer)


def _read_closed(aws: Aws, bucket: str) -> bool:
    blocks = or_none(
        lambda: aws.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        ("NoSuchPublicAccessBlockConfiguration",),
    )
    return bool(blocks == _CLOSED)


def _read_ownership(aws: Aws, bucket: str) -> str:
    """Read who owns objects. A bucket without the setting is older than it: the writer of an object owns it."""
    answer: Any = or_none(lambda: aws.client("s3").get_bucket_ownership_controls(Bucket=bucket), ("OwnershipControlsNotFoundError",))
    return str(answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]) if answer else "ObjectWriter"


def _read_acl(aws: Aws, bucket: str) -> str:
    """Read the access list: `private` if only the owner is in it, else whom it lets in, and to what."""
    answer: Any = aws.client("s3").get_bucket_acl(Bucket=bucket)
    owner = answer.get("Owner", {}).get("ID")
    grants = [(grant["Grantee"].get("ID") or grant["Grantee"].get("URI", ""), grant["Permission"]) for grant in answer.get("Grants", [])]
    return ", ".join(sorted(f"{permission} to {who}" for who, permission in grants if who != owner)) or "private"


def _read_versioning(aws: Aws, bucket: str) -> str:
    """Read if new versions are kept. MFA Delete forbids to switch that off, and stays: then it counts as not kept."""
    answer = aws.client("s3").get_bucket_versioning(Bucket=bucket)
    return "Enabled" if answer.get("Status") == "Enabled" and answer.get("MFADelete") != "Enabled" else "Off"
