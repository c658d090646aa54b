"""AWS::IAM::InstanceProfile"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, cfn, tags_of
from sre_agent_deploy.resources.iam_role import IamRole
from sre_core.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import InstanceProfileTypeDef

    from sre_agent_deploy.aws import Aws

_GONE = ("NoSuchEntity",)


@dataclass(frozen=True, kw_only=True)
class InstanceProfile(Defaults):
    """Hands the credentials of one role to the instance."""

    KIND: ClassVar[str] = "AWS::IAM::InstanceProfile"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"profile_name", "path"})
    SETTLES: ClassVar[timedelta] = timedelta(seconds=15)
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({IamRole.KIND})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"profile_name", "path"})
    MOST_TAGS: ClassVar[int] = 50
    REGIONAL: ClassVar[bool] = False
    # A new role is not known to every part of IAM at once.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"NoSuchEntity"})

    name: str
    profile_name: str
    path: str
    role_name: LaterText

    def natural_id(self, aws: Aws) -> str:
        return self.profile_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("iam").get_paginator("list_instance_profiles").paginate(PathPrefix=f"/sre-agent/{deployment}/")
        names = [profile["InstanceProfileName"] for page in pages for profile in page["InstanceProfiles"]]
        tagged = [(name, tags_of(_get_profile(aws, name).get("Tags"))) for name in names]
        return tuple(Owned.tagged(name, tags) for name, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        pages = aws.client("iam").get_paginator("list_instance_profiles").paginate(PathPrefix="/sre-agent/")
        return (profile["Path"].split("/")[2] for page in pages for profile in page["InstanceProfiles"])

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer = or_none(lambda: aws.client("iam").get_instance_profile(InstanceProfileName=id), _GONE)
        if answer is None:
            return None
        profile = answer["InstanceProfile"]
        role_name = next((role["RoleName"] for role in profile["Roles"]), "")
        seen = cls(name=name, profile_name=id, path=profile["Path"], role_name=role_name)
        return Found(id, seen, {"profile_arn": profile["Arn"], "profile_name": id}, tags_of(profile.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("iam").create_instance_profile(InstanceProfileName=self.profile_name, Path=self.path, Tags=mark.tag_list())
        return made["InstanceProfile"]["InstanceProfileName"]

    def configure(self, aws: Aws, id: str) -> None:
        # A profile holds one role at most, so another one goes first.
        members = _read_role_names(aws, id)
        for other in members - {self.role_name}:
            aws.client("iam").remove_role_from_instance_profile(InstanceProfileName=id, RoleName=other)
        if self.role_name not in members:
            aws.client("iam").add_role_to_instance_profile(InstanceProfileName=id, RoleName=require_known(self.role_name))

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        if changes.set:
            aws.client("iam").tag_instance_profile(InstanceProfileName=id, Tags=changes.tag_list())
        if changes.remove:
            aws.client("iam").untag_instance_profile(InstanceProfileName=id, TagKeys=changes.remove)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        for role_name in _read_role_names(aws, id):
            aws.client("iam").remove_role_from_instance_profile(InstanceProfileName=id, RoleName=role_name)
        aws.client("iam").delete_instance_profile(InstanceProfileName=id)

    def console(self) -> Steps:
        return (
            "The Console has no page for instance profiles of their own; in CloudShell, run:",
            f"aws iam create-instance-profile --instance-profile-name {self.profile_name} --path {self.path}",
            f"aws iam add-role-to-instance-profile --instance-profile-name {self.profile_name} --role-name {self.role_name}",
        )

    def template(self) -> CfnResource:
        attributes = {"profile_arn": "Arn", "profile_name": "Ref"}
        return cfn(self.KIND, attributes, InstanceProfileName=self.profile_name, Path=self.path, Roles=(self.role_name,))

    FAILURES: ClassVar[Failures] = {
        ("CreateInstanceProfile", "EntityAlreadyExists"): lambda profile: Problem(
            code="IAM-NAME-TAKEN",
            what=f"Instance profile {profile.profile_name} was not created.",
            why="This account has an instance profile of that name already.",
            do=(
                "Set another `name:` for this deployment, or delete that profile if it is a leftover "
                f"(aws iam delete-instance-profile --instance-profile-name {profile.profile_name}).",
                "Run the same command again.",
            ),
        ),
        ("CreateInstanceProfile", "LimitExceeded"): lambda profile: Problem(
            code="IAM-QUOTA",
            what=f"Instance profile {profile.profile_name} was not created.",
            why="This account has as many instance profiles as its quota allows.",
            do=("Ask for more under Service Quotas > IAM > Instance profiles per account.", "Run the same command again."),
        ),
        ("AddRoleToInstanceProfile", "NoSuchEntity"): lambda profile: Problem(
            code="IAM-ROLE-NOT-FOUND",
            what=f"Role {profile.role_name} was not added to instance profile {profile.profile_name}.",
            why="IAM does not know the role: it was deleted meanwhile, or its propagation is not finished.",
            do=("See whether the role exists: `sre-agent-deploy plan`.", "Run the same command again; it creates what is missing."),
        ),
        ("DeleteInstanceProfile", "DeleteConflict"): lambda _: Problem(
            code="IAM-STILL-USED",
            what="The instance profile was not deleted.",
            why="A role is still in it: it was added while the profile was being emptied, or IAM still counts the one that was removed.",
            do=(
                "See which role is in it: `aws iam list-instance-profiles`.",
                "Run the same command again in a minute; it removes the role first.",
            ),
        ),
    }


def _get_profile(aws: Aws, profile_name: str) -> InstanceProfileTypeDef:
    return aws.client("iam").get_instance_profile(InstanceProfileName=profile_name)["InstanceProfile"]


def _read_role_names(aws: Aws, profile_name: str) -> set[str]:
    return {role["RoleName"] for role in _get_profile(aws, profile_name)["Roles"]}
