"""AWS::IAM::Role"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, cfn, tags_of
from sre_agent_deploy.resources import policy_document
from sre_agent_deploy.resources.policy_document import NO_CONDITIONS, Conditions, Statement
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("NoSuchEntity",)


def _boundary_gone(role: Any) -> Problem:
    return Problem(
        code="IAM-BOUNDARY-NOT-FOUND",
        what=f"Role {role.role_name} did not get its permissions boundary.",
        why=f"There is no policy {role.permissions_boundary}: it was deleted after the preflight.",
        do=("Correct aws.permissions_boundary, or create the policy again.", "Run the same command again."),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
    )


@dataclass(frozen=True, kw_only=True)
class IamRole(Defaults):
    """Allows one AWS service what this deployment needs: a trust policy, one inline policy, and AWS's managed ones named here."""

    KIND: ClassVar[str] = "AWS::IAM::Role"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"role_name", "path"})
    SETTLES: ClassVar[timedelta] = timedelta(seconds=15)
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"role_name", "path"})
    PROTECTIONS: ClassVar[Mapping[str, str]] = {
        "permissions_boundary": "its permissions boundary, which was set by hand, stays: it limits what the role may do"
    }
    MOST_TAGS: ClassVar[int] = 50
    REGIONAL: ClassVar[bool] = False
    # A new role is not known to every part of IAM at once.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"NoSuchEntity"})

    name: str
    role_name: str
    path: str
    service: str
    trust_conditions: Conditions = NO_CONDITIONS
    statements: tuple[Statement, ...] = ()
    managed_policies: tuple[str, ...] = ()
    session_seconds: int = 3600
    permissions_boundary: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        # AWS lists them in an order of its own.
        object.__setattr__(self, "managed_policies", tuple(sorted(self.managed_policies)))

    def natural_id(self, aws: Aws) -> str:
        return self.role_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("iam").get_paginator("list_roles").paginate(PathPrefix=f"/sre-agent/{deployment}/")
        roles = [role for page in pages for role in page["Roles"]]
        tagged = [(role, tags_of(aws.client("iam").list_role_tags(RoleName=role["RoleName"])["Tags"])) for role in roles]
        ours = [(role, tags) for role, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment]
        return tuple(Owned.tagged(role["RoleName"], tags, role["CreateDate"]) for role, tags in ours)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        pages = aws.client("iam").get_paginator("list_roles").paginate(PathPrefix="/sre-agent/")
        return (role["Path"].split("/")[2] for page in pages for role in page["Roles"])

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer = or_none(lambda: aws.client("iam").get_role(RoleName=id), _GONE)
        if answer is None:
            return None
        role: Any = answer["Role"]
        service, conditions = policy_document.parse_trust(role["AssumeRolePolicyDocument"])
        seen = cls(
            name=name,
            role_name=id,
            path=role["Path"],
            service=service,
            trust_conditions=conditions,
            statements=_read_statements(aws, id),
            managed_policies=_list_attached_policies(aws, id),
            session_seconds=role.get("MaxSessionDuration", 3600),
            description=role.get("Description", ""),
            permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        )
        return Found(id, seen, {"role_arn": role["Arn"], "role_name": id}, tags_of(role.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        trust = policy_document.render_json(self._trust())
        more: Any = {"PermissionsBoundary": self.permissions_boundary, "Description": self.description}
        made = aws.client("iam").create_role(
            RoleName=self.role_name,
            Path=self.path,
            AssumeRolePolicyDocument=trust,
            MaxSessionDuration=self.session_seconds,
            Tags=mark.tag_list(),
            **{key: value for key, value in more.items() if value},
        )
        return made["Role"]["RoleName"]

    def configure(self, aws: Aws, id: str) -> None:
        role: Any = aws.client("iam").get_role(RoleName=id)["Role"]
        if (role.get("MaxSessionDuration", 3600), role.get("Description", "")) != (self.session_seconds, self.description):
            aws.client("iam").update_role(RoleName=id, MaxSessionDuration=self.session_seconds, Description=self.description)
        # First: who deploys may be allowed to change the policies of roles with this boundary only.
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        if self.permissions_boundary not in ("", boundary):
            aws.client("iam").put_role_permissions_boundary(RoleName=id, PermissionsBoundary=self.permissions_boundary)
        aws.client("iam").update_assume_role_policy(RoleName=id, PolicyDocument=policy_document.render_json(self._trust()))
        if self.statements:
            permissions = policy_document.render_json(policy_document.permissions_policy(self.statements))
            aws.client("iam").put_role_policy(RoleName=id, PolicyName=id, PolicyDocument=permissions)
        for other in set(_list_inline_policies(aws, id)) - ({id} if self.statements else set()):
            aws.client("iam").delete_role_policy(RoleName=id, PolicyName=other)
        attached, wanted = set(_list_attached_policies(aws, id)), set(self.managed_policies)
        for arn in sorted(wanted - attached):
            aws.client("iam").attach_role_policy(RoleName=id, PolicyArn=arn)
        for arn in sorted(attached - wanted):
            aws.client("iam").detach_role_policy(RoleName=id, PolicyArn=arn)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        if changes.set:
            aws.client("iam").tag_role(RoleName=id, Tags=changes.tag_list())
        if changes.remove:
            aws.client("iam").untag_role(RoleName=id, TagKeys=changes.remove)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        # IAM refuses to delete a role that still has policies or sits in an instance profile.
        for page in aws.client("iam").get_paginator("list_instance_profiles_for_role").paginate(RoleName=id):
            for profile in page["InstanceProfiles"]:
                aws.client("iam").remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=id)
        for arn in _list_attached_policies(aws, id):
            aws.client("iam").detach_role_policy(RoleName=id, PolicyArn=arn)
        for policy in _list_inline_policies(aws, id):
            aws.client("iam").delete_role_policy(RoleName=id, PolicyName=policy)
        aws.client("iam").delete_role(RoleName=id)

    def console(self) -> Steps:
        attach = tuple(f"Add permissions > Attach policies: {arn.rpartition('/')[2]} ({arn})" for arn in self.managed_policies)
        return (
            "IAM > Roles > Create role > Custom trust policy, and paste:",
            policy_document.render_indented(self._trust()),
            f"Role name: {self.role_name}",
            f"The Console makes roles under the path /; the path {self.path} needs the AWS CLI: "
            f"aws iam create-role --role-name {self.role_name} --path {self.path} --assume-role-policy-document file://trust.json",
            *((f"Description: {self.description}",) if self.description else ()),
            f"Maximum session duration: {self.session_seconds} seconds",
            *((f"Permissions boundary: {self.permissions_boundary}",) if self.permissions_boundary else ()),
            *attach,
            *self._inline_steps(),
        )

    def template(self) -> CfnResource:
        permissions = {"PolicyName": self.role_name, "PolicyDocument": policy_document.permissions_policy(self.statements)}
        return cfn(
            self.KIND,
            {"role_arn": "Arn", "role_name": "Ref"},
            RoleName=self.role_name,
            Path=self.path,
            AssumeRolePolicyDocument=self._trust(),
            ManagedPolicyArns=self.managed_policies,
            MaxSessionDuration=self.session_seconds,
            Description=self.description,
            PermissionsBoundary=self.permissions_boundary,
            Policies=(permissions,) if self.statements else (),
        )

    def _trust(self) -> dict[str, Any]:
        return policy_document.trust_policy(self.service, self.trust_conditions)

    def _inline_steps(self) -> Steps:
        if not self.statements:
            return ()
        reasons = (s for s in self.statements if s.any_resource_because)
        return (
            "Add permissions > Create inline policy > JSON, and paste:",
            policy_document.render_indented(policy_document.permissions_policy(self.statements)),
            f"Policy name: {self.role_name}",
            *(f"{statement.sid} allows any resource: {statement.any_resource_because}" for statement in reasons),
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateRole", "EntityAlreadyExists"): lambda role: Problem(
            code="IAM-NAME-TAKEN",
            what=f"Role {role.role_name} was not created.",
            why="This account has a role of that name already; role names are unique in an account, whatever their path.",
            do=(
                "Set another `name:` for this deployment, or delete that role if it is a leftover (IAM > Roles).",
                "Run the same command again.",
            ),
        ),
        ("CreateRole", "NoSuchEntity"): _boundary_gone,
        ("PutRolePermissionsBoundary", "NoSuchEntity"): _boundary_gone,
        ("CreateRole", "LimitExceeded"): lambda role: Problem(
            code="IAM-QUOTA",
            what=f"Role {role.role_name} was not created.",
            why="This account has as many roles as its quota allows.",
            do=("Delete unused roles, or ask for more under Service Quotas > IAM > Roles per account.", "Run the same command again."),
        ),
        ("PutRolePolicy", "LimitExceeded"): lambda role: Problem(
            code="IAM-POLICY-TOO-LARGE",
            what=f"The inline policy of role {role.role_name} was not stored.",
            why="The inline policies of a role may have 10,240 characters together.",
            do=("Name fewer models or resources in the configuration.", "Run the same command again."),
            aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
        ),
        ("AttachRolePolicy", "NoSuchEntity"): lambda role: Problem(
            code="IAM-POLICY-NOT-FOUND",
            what=f"A managed policy could not be attached to role {role.role_name}.",
            why=f"One of {', '.join(role.managed_policies)} does not exist in this partition.",
            do=("Check under IAM > Policies how it is called in this partition, and correct the ARN.", "Run the same command again."),
        ),
        ("AttachRolePolicy", "LimitExceeded"): lambda role: Problem(
            code="IAM-QUOTA",
            what=f"A managed policy could not be attached to role {role.role_name}.",
            why="The role has as many managed policies as its quota allows.",
            do=("Detach policies that were added to this role by hand (IAM > Roles > Permissions).", "Run the same command again."),
        ),
        ("DeleteRole", "DeleteConflict"): lambda _: Problem(
            code="IAM-STILL-USED",
            what="The role was not deleted.",
            why="Something is still attached to it: it was added while the role was being emptied, or IAM still counts what was detached.",
            do=(
                "See what the role still has: IAM > Roles.",
                "Run the same command again in a minute; it detaches policies and instance profiles first.",
            ),
        ),
    }


def _read_statements(aws: Aws, role_name: str) -> tuple[Statement, ...]:
    documents: list[Any] = [
        aws.client("iam").get_role_policy(RoleName=role_name, PolicyName=policy)["PolicyDocument"]
        for policy in _list_inline_policies(aws, role_name)
    ]
    return tuple(statement for document in documents for statement in policy_document.parse_statements(document))


def _list_inline_policies(aws: Aws, role_name: str) -> list[str]:
    pages = aws.client("iam").get_paginator("list_role_policies").paginate(RoleName=role_name)
    return [policy for page in pages for policy in page["PolicyNames"]]


def _list_attached_policies(aws: Aws, role_name: str) -> tuple[str, ...]:
    pages = aws.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=role_name)
    return tuple(policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"])
