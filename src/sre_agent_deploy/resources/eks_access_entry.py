"""AWS::EKS::AccessEntry"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, cfn
from sre_agent_deploy.resources.iam_role import IamRole
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)
_ROLE = re.compile(r"[^:]+:[^:]+:iam::\d+:role/sre-agent/([^/]+)/")
READERS = "sre-agent-readers"
"""The group of Kubernetes to which `python -m sre_services rbac --group sre-agent-readers` gives its permissions."""
ENTRIES_DOCS = "https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html"


@dataclass(frozen=True, kw_only=True)
class AccessEntry(Defaults):
    """Lets a role into a cluster of Amazon EKS, with what RBAC there allows to a group. Nothing else of the cluster is changed."""

    KIND: ClassVar[str] = "AWS::EKS::AccessEntry"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"cluster_name", "principal_arn", "type"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"cluster_name", "principal_arn", "type"})
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "username": "the name in the cluster's audit log, which EKS derives from the role; permissions are the group's",
    }
    SETTLES: ClassVar[timedelta] = timedelta(seconds=15)
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({IamRole.KIND})
    MOST_TAGS: ClassVar[int] = 50
    EXEMPT: ClassVar[Mapping[str, str]] = {"access_policies": "there is none; only what AWS has can be otherwise"}
    # "The specified principalArn is invalid: invalid principal." until EKS sees a new role.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"InvalidParameterException"})

    name: str
    cluster_name: str
    principal_arn: LaterText
    kubernetes_groups: tuple[str, ...]
    access_policies: tuple[str, ...] = ()
    """The access policies of EKS beside the groups: none is ever added, and one that was added by hand is removed."""
    type: str = "STANDARD"

    def __post_init__(self) -> None:
        for field in ("kubernetes_groups", "access_policies"):
            object.__setattr__(self, field, tuple(sorted(getattr(self, field))))

    def natural_id(self, aws: Aws) -> str:
        return f"{self.cluster_name}/{self.principal_arn}" if isinstance(self.principal_arn, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # A listing shows no tags; the path of our roles has the deployment's id, so only those few entries are asked for theirs.
        ids = [id for id, owner in _list_entries(aws) if owner == deployment]
        tagged = [(id, (_describe(aws, id) or {}).get("tags", {})) for id in ids]
        return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return (owner for _, owner in _list_entries(aws))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        entry = _describe(aws, id)
        if entry is None:
            return None
        seen = cls(
            name=name,
            cluster_name=entry["clusterName"],
            principal_arn=entry["principalArn"],
            kubernetes_groups=tuple(entry.get("kubernetesGroups", ())),
            access_policies=_list_policies(aws, id),
            type=entry["type"],
        )
        return Found(id, seen, tags=entry.get("tags", {}), broken=_find_flaw(aws, entry))

    def create(self, aws: Aws, mark: Mark) -> str:
        aws.client("eks").create_access_entry(
            clusterName=self.cluster_name,
            principalArn=require_known(self.principal_arn),
            kubernetesGroups=list(self.kubernetes_groups),
            type=self.type,
            tags=mark.tags(),
        )
        return f"{self.cluster_name}/{self.principal_arn}"

    def configure(self, aws: Aws, id: str) -> None:
        aws.client("eks").update_access_entry(**_place(id), kubernetesGroups=list(self.kubernetes_groups))
        for policy in set(_list_policies(aws, id)) - set(self.access_policies):
            aws.client("eks").disassociate_access_policy(**_place(id), policyArn=policy)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = (_describe(aws, id) or {}).get("accessEntryArn", "")
        if changes.set:
            aws.client("eks").tag_resource(resourceArn=arn, tags=dict(changes.set))
        if changes.remove:
            aws.client("eks").untag_resource(resourceArn=arn, tagKeys=list(changes.remove))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("eks").delete_access_entry(**_place(id)), _GONE)

    def console(self) -> Steps:
        return (
            f"Amazon EKS > Clusters > {self.cluster_name} > Access > IAM access entries > Create access entry",
            f"IAM principal ARN: {self.principal_arn}",
            f"Type: {self.type}; Groups: {', '.join(self.kubernetes_groups)}",
            "Add access policy: none",
            "Create. In the cluster, RBAC gives this group its permissions: "
            f"python -m sre_services rbac --group {next(iter(self.kubernetes_groups), '')} | kubectl apply -f -",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            ClusterName=self.cluster_name,
            PrincipalArn=self.principal_arn,
            KubernetesGroups=self.kubernetes_groups,
            Type=self.type,
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateAccessEntry", "ResourceInUseException"): lambda entry: Problem(
            code="EKS-ACCESS-EXISTS",
            what=f"The access entry in the cluster {entry.cluster_name} was not created.",
            why="The cluster has one for this role already, which does not carry this deployment's tag.",
            do=(
                f"Delete it if it is a leftover (Amazon EKS > Clusters > {entry.cluster_name} > Access), and run the same command again.",
                "Or set access_entry of this cluster to false: then the entry that is there is used, and never changed.",
            ),
            aws_docs=ENTRIES_DOCS,
        ),
        ("CreateAccessEntry", "InvalidRequestException"): lambda entry: explain_mode(entry.cluster_name, "CONFIG_MAP"),
        ("CreateAccessEntry", "ResourceNotFoundException"): lambda entry: explain_absence(entry.cluster_name, "this region"),
        ("CreateAccessEntry", "ResourceLimitExceededException"): lambda entry: Problem(
            code="EKS-ACCESS-QUOTA",
            what=f"The access entry in the cluster {entry.cluster_name} was not created.",
            why="The cluster has as many access entries as its quota allows.",
            do=(f"Delete unused ones (Amazon EKS > Clusters > {entry.cluster_name} > Access).", "Run the same command again."),
            aws_docs="https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html",
        ),
        **{
            (operation, "InvalidParameterException"): lambda entry: Problem(
                code="EKS-ACCESS-REFUSED",
                what=f"Amazon EKS did not accept the access entry in the cluster {entry.cluster_name}.",
                why=f"It does not know the role {entry.principal_arn}, or refuses a group ({', '.join(entry.kubernetes_groups)}).",
                do=(
                    "If the role is new, wait a minute for its propagation, and run the same command again.",
                    "If it fails again, set access_entry of this cluster to false, and create the entry by hand.",
                ),
                aws_docs=ENTRIES_DOCS,
            )
            for operation in ("CreateAccessEntry", "UpdateAccessEntry")
        },
    }


def explain_mode(cluster: str, mode: str) -> Problem:
    """Explain that a cluster knows no access entries, and show how the role is let in without one."""
    return Problem(
        code="EKS-AUTHENTICATION-MODE",
        what=f"The cluster {cluster} does not use access entries.",
        why=f"Its authentication mode is {mode}; entries need API or API_AND_CONFIG_MAP, and a deployment never changes a cluster.",
        do=(
            "Set access_entry of this cluster to false, deploy, and give the role of the instance access by the ConfigMap aws-auth: "
            f"eksctl create iamidentitymapping --cluster {cluster} --group {READERS} --username sre-agent --arn ROLE_ARN "
            "(the ARN without its path: arn:aws:iam::ACCOUNT:role/ID-instance).",
            f"Or let the cluster use both, which can't be undone: aws eks update-cluster-config --name {cluster} "
            "--access-config authenticationMode=API_AND_CONFIG_MAP.",
        ),
        aws_docs="https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html",
    )


def explain_absence(cluster: str, region: str) -> Problem:
    """Explain that a cluster does not exist."""
    return Problem(
        code="EKS-CLUSTER-NOT-FOUND",
        what=f"There is no cluster {cluster} in {region}.",
        why="Its name is misspelled, it was deleted, or it is in another region or account.",
        do=("List yours: aws eks list-clusters.", "Correct `cluster` of this source below services, and run the same command again."),
    )


def _place(id: str) -> dict[str, str]:
    cluster, _, principal = id.partition("/")
    return {"clusterName": cluster, "principalArn": principal}


def _describe(aws: Aws, id: str) -> Mapping[str, Any] | None:
    """Describe an entry; None where there is none, or the cluster is gone or knows no entries."""
    place = _place(id)
    if not _knows_entries(aws, place["clusterName"]):
        return None
    answer: Any = or_none(lambda: aws.client("eks").describe_access_entry(**place), _GONE)
    return answer["accessEntry"] if answer else None


def _knows_entries(aws: Aws, cluster: str) -> bool:
    """Say if a cluster exists and has access entries: EKS refuses to list those of one in another mode."""
    answer: Any = or_none(lambda: aws.client("eks").describe_cluster(name=cluster), _GONE)
    return bool(answer) and answer["cluster"].get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP") != "CONFIG_MAP"


def _list_entries(aws: Aws) -> Iterator[tuple[str, str]]:
    """Yield the entries of roles that deployments created, each with the deployment's id, of all clusters of the region."""
    eks = aws.client("eks")
    clusters = [cluster for page in eks.get_paginator("list_clusters").paginate() for cluster in page["clusters"]]
    for cluster in clusters:
        if _knows_entries(aws, cluster):
            for page in eks.get_paginator("list_access_entries").paginate(clusterName=cluster):
                for principal in page["accessEntries"]:
                    if ours := _ROLE.match(principal):
                        yield f"{cluster}/{principal}", ours[1]


def _list_policies(aws: Aws, id: str) -> tuple[str, ...]:
    pages = aws.client("eks").get_paginator("list_associated_access_policies").paginate(**_place(id))
    listed = or_none(lambda: [each["policyArn"] for page in pages for each in page["associatedAccessPolicies"]], _GONE)
    return tuple(listed or ())


def _find_flaw(aws: Aws, entry: Mapping[str, Any]) -> str:
    """Find out if the role is a later one of the same name: EKS knows a role by an id that is not shown, and lets no other in."""
    role_name = entry["principalArn"].rpartition("/")[2]
    answer: Any = or_none(lambda: aws.client("iam").get_role(RoleName=role_name), ("NoSuchEntity",))
    later = answer is not None and answer["Role"]["CreateDate"].replace(microsecond=0) > entry["createdAt"]
    return "its role was created again, and EKS lets only the one before in" if later else ""
