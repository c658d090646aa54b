"""Look up what authorization depends on: the policies of an identity, and the names and tags of resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embedded_aws import iam_state, moto_state
from embedded_aws.iam_state import Policy

BOUNDARY = "permissions boundary"


@dataclass(frozen=True)
class Identity:
    """The policies in force for one caller. Each group of `limits` must allow a call, too: a permissions boundary, a session policy."""

    arn: str
    policies: tuple[Policy, ...]
    limits: Mapping[str, tuple[Policy, ...]]
    role_arn: str = ""
    """Of a session."""


@dataclass(frozen=True)
class ResourceState:
    """The resources of one account and region."""

    account_id: str
    region: str

    def role_arn(self, name: str) -> str:
        """Return the ARN of a role, with its path; empty where it is absent."""
        return iam_state.role_arn(self.account_id, name)

    def role_boundary(self, name: str) -> str:
        """Return the ARN of the permissions boundary of a role; empty where the role is absent or has none."""
        return iam_state.role_boundary_arn(self.account_id, self.role_arn(name))

    def profile_arn(self, name: str) -> str:
        """Return the ARN of an instance profile, with its path; empty where it is absent."""
        return iam_state.profile_arn(self.account_id, name)

    def role_of_profile(self, profile: str) -> str:
        """Return the ARN of the role in an instance profile, by the profile's ARN or name; empty where either is absent."""
        return iam_state.role_of_profile(self.account_id, self.profile_arn(profile) or profile) or ""

    def secret_arn(self, id: str) -> str:
        """Return the whole ARN of a secret, by its name or ARN; empty where it is absent."""
        return moto_state.secret_arn(self.account_id, self.region, id, deleted=True) or ""

    def bucket_key(self, bucket: str, key: str) -> str:
        """Return the ARN of the KMS key of an object, or without `key` of the bucket's default encryption; empty where it has none."""
        return moto_state.bucket_key(self.account_id, bucket, key)

    def resource_policy(self, arn: str) -> Policy | None:
        """Return the policy of a bucket, for it or an object in it; None where it has none, and for any other resource."""
        bucket = arn.removeprefix("arn:aws:s3:::").partition("/")[0]
        return (moto_state.bucket_policy(self.account_id, bucket) or None) if arn.startswith("arn:aws:s3:::") else None

    def kms_key_arn(self, id: str) -> str:
        """Return the ARN of a KMS key by its id, ARN or alias; empty where it is absent."""
        return moto_state.kms_key_arn(self.account_id, self.region, id)

    def access_entry_arn(self, cluster: str, principal: str) -> str:
        """Return the ARN of an access entry of a cluster; empty where it is absent."""
        return moto_state.access_entry_arn(self.account_id, self.region, cluster, principal)

    def associated(self, association_id: str) -> str:
        """Return the id of the Elastic IP or subnet of an association; empty where it is absent."""
        return moto_state.associated_address(self.account_id, self.region, association_id)

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return the tags of a resource of EC2, Cognito, Secrets Manager or EKS; the policies of a deployment ask for those of no other."""
        return moto_state.tags_by_arn(self.account_id, arn)


def find_identity(account_id: str, arn: str, access_key_id: str) -> Identity:
    """Find the policies of a user or of a role's session. An identity that is gone has none, so that it may do nothing."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if kind == "user":
        return Identity(arn, iam_state.user_policies(account_id, rest.rpartition("/")[2]), {})
    role = iam_state.role_arn(account_id, rest.partition("/")[0])
    boundary = iam_state.role_boundary(account_id, role)
    session = iam_state.session_policy(account_id, access_key_id)
    limits = {BOUNDARY: boundary, "session policy": session}
    found = {name: policies for name, policies in limits.items() if policies is not None}
    return Identity(arn, iam_state.role_policies(account_id, role), found, role)
