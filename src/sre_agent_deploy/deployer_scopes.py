"""Narrow each action of the deployer's policy to one deployment (pure).

By the names of its resources where AWS's ARNs have names, else by its tag. What AWS can authorize for all resources only, and
listings that find the deployment, have `*`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.instance.user_data import list_credentials
from sre_agent_deploy.monitoring import TRAIL_LOG
from sre_agent_deploy.names import gateway_name, prefix
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime
from sre_agent_deploy.resources.cloudtrail_trail import Trail
from sre_agent_deploy.resources.eks_access_entry import READERS, AccessEntry
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import name_runtime, name_runtime_log
from sre_agent_deploy.resources.policy_document import NO_CONDITIONS, Conditions
from sre_agent_deploy.resources.route53_record import DnsRecord
from sre_core import metrics
from sre_core.machine import BACKUPS_FOLDER

ANY = "*"
# What is of a pool itself, or of its people: a pool of the user's is not changed, and its people are not saved.
_CHANGES_POOL = re.compile(r"UserPool(?!Client|Domain)|Admin|Group|ListUsers|CustomAttributes")
_READS = ("Describe", "Get", "Head", "List", "View")
_UNSCOPED = frozenset(
    {
        "s3:ListAllMyBuckets",
        "iam:ListRoles",
        "iam:ListInstanceProfiles",
        "secretsmanager:ListSecrets",
        "cognito-idp:ListUserPools",
        "cognito-idp:DescribeUserPoolDomain",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListDashboards",
        "cloudtrail:ListTrails",
        "logs:DescribeDeliveries",
        "logs:DescribeDeliveryDestinations",
        "logs:DescribeDeliverySources",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "dynamodb:ListTables",
        "sns:ListTopics",
        "sns:Unsubscribe",
        "route53:CreateHealthCheck",
        "route53:ListHealthChecks",
        "route53:ListHostedZones",
        "eks:ListClusters",
        "bedrock-agentcore:ListGateways",
        "bedrock-agentcore:ListAgentRuntimes",
        "bedrock-agentcore:ListAgentRuntimeEndpoints",
        "tag:GetResources",
        "bedrock:GetFoundationModelAvailability",
        "bedrock:GetUseCaseForModelAccess",
        "sts:GetCallerIdentity",
    }
)
_EC2_READS_ONE = frozenset({"ec2:DescribeInstanceAttribute", "ec2:GetConsoleOutput"})
# What each operation creates, and in what, which is the deployment's own too.
_EC2_PARTS = {
    "CreateVpc": "vpc",
    "CreateInternetGateway": "internet-gateway",
    "CreateRouteTable": "route-table",
    "CreateSubnet": "subnet",
    "CreateVpcEndpoint": "vpc-endpoint",
}
_EC2_CREATES = ("AllocateAddress", "CreateSecurityGroup", "RunInstances", *_EC2_PARTS)
# What gives a role permissions. The boundary itself is never taken off: iam:DeleteRolePermissionsBoundary is in no statement.
_LIMITED = frozenset({"CreateRole", "PutRolePolicy", "PutRolePermissionsBoundary"})
_PASSED_TO = ("bedrock-agentcore.amazonaws.com", "ec2.amazonaws.com")


@dataclass(frozen=True)
class Scope:
    """The resources to which actions are narrowed, and the conditions. `name` begins the statement's Sid."""

    name: str
    resources: tuple[str, ...]
    conditions: Conditions = NO_CONDITIONS


@dataclass(frozen=True)
class Place:
    """Where the ARNs of a deployment lie."""

    partition: str
    region: str
    account_id: str

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        place, owner = (self.region if region is None else region), (self.account_id if account is None else account)
        return f"arn:{self.partition}:{service}:{place}:{owner}:{resource}"


class ActionScopes:
    """The scopes of each action, for one deployment."""

    def __init__(self, config: Config, plan: Blueprint, place: Place) -> None:
        self._config, self._plan, self.place, self._id = config, plan, place, plan.deployment

    def of(self, action: str) -> Iterator[Scope]:
        service, _, name = action.partition(":")
        if action in _UNSCOPED or (service == "ec2" and is_read(action) and action not in _EC2_READS_ONE):
            yield Scope("List", (ANY,))
            return
        yield from {
            "iam": self._iam,
            "ec2": self._ec2,
            "s3": self._s3,
            "cognito-idp": self._cognito,
            "secretsmanager": self._secretsmanager,
            "bedrock-agentcore": self._agentcore,
            "route53": self._route53,
            "eks": self._eks,
            "logs": self._logs,
            "dynamodb": self._dynamodb,
            "cloudtrail": self._cloudtrail,
        }.get(service, self._by_name)(name)

    def _by_name(self, name: str) -> Iterator[Scope]:
        """Narrow by the names of resources that begin with the deployment's id, in the services where all do."""
        place, id = self.place, self._id
        of_runtime = (str(name_runtime_log(name_runtime(id), "*")),) if self._config.assistant.on_runtime else ()
        of_trail = (metrics.TRAIL,) if self._has_trail() else ()
        logs = (metrics.log_group(id, each) for each in (*metrics.LOG_GROUPS, *of_trail))
        names = (*logs, metrics.gateway_log_group(id), *of_runtime)
        groups = [place.arn("logs", f"log-group:{each}{end}") for each in names for end in ("", ":*")]
        alarms = (place.arn("cloudwatch", f"alarm:{id}-*"), place.arn("cloudwatch", f"dashboard/{id}", region=""))
        if "Budget" in name:
            yield Scope("Budgets", (place.arn("budgets", "budget/*" if name == "ViewBudget" else f"budget/{id}", region=""),))
        elif "Parameter" in name:
            yield Scope("Images", (place.arn("ssm", "parameter/aws/service/*", account=""),))
        else:
            yield Scope(
                "Monitoring",
                (
                    *groups,
                    *alarms,
                    place.arn("sns", f"{id}-*"),
                    place.arn("sqs", f"{id}-*"),
                    place.arn("budgets", f"budget/{id}", region=""),
                ),
            )

    def _logs(self, name: str) -> Iterator[Scope]:
        """Narrow the delivery of the gateway's logs by its names; a delivery itself has an id of AWS's, and is known by its tag.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-V2-CloudWatchLogs.html
        """
        parts = tuple(self.place.arn("logs", f"{kind}:{self._id}-*") for kind in ("delivery-source", "delivery-destination"))
        deliveries = self.place.arn("logs", f"delivery:{ANY}")
        ours = {"StringEquals": {f"aws:ResourceTag/{DEPLOYMENT_TAG}": self._id}}
        if name == "PutResourcePolicy":
            # CloudWatch Logs gives itself the right to write into the group, as the caller.
            yield Scope("LetDeliver", (self.place.arn("logs", ANY),))
        elif name == "CreateDelivery":
            yield Scope("CreateDelivery", (*parts, deliveries))
        elif name == "DeleteDelivery":
            yield Scope("Deliveries", (deliveries,), ours)
        elif "Delivery" in name:
            yield Scope("DeliveryParts", parts)
        elif name == "DescribeMetricFilters":
            # The one in a log group that others use as well is found by its metric.
            yield Scope("List", (ANY,))
        else:
            yield from self._by_name(name)
            if (group := self._named(TRAIL_LOG)) and (name.endswith("MetricFilter") or name == "ListTagsForResource"):
                yield Scope("InNamedLogGroup", tuple(self.place.arn("logs", f"log-group:{group}{end}") for end in ("", ":*")))
            if name in ("TagResource", "UntagResource", "ListTagsForResource"):
                yield Scope("DeliveryParts", parts)
                yield Scope("Deliveries", (deliveries,), ours)
            if name == "TagResource":
                yield Scope("TagDelivery", (deliveries,), {"StringEquals": {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}})

    def _iam(self, name: str) -> Iterator[Scope]:
        role, profile = (self.place.arn("iam", f"{kind}/sre-agent/{self._id}/*", region="") for kind in ("role", "instance-profile"))
        named = self._named("gateway_role")
        # By its name alone AWS finds no path for a role that does not exist yet.
        absent = tuple(self.place.arn("iam", f"{kind}/{self._id}-*", region="") for kind in ("role", "instance-profile"))
        named_roles = tuple(self.place.arn("iam", f"role/{path}{named}", region="") for path in ("", "*/") if named)
        if name == "PassRole":
            services = (*_PASSED_TO, *(("cloudtrail.amazonaws.com",) if self._has_trail() else ()))
            yield Scope("PassRole", (role, *named_roles), {"StringEquals": {"iam:PassedToService": services}})
        elif name in ("AttachRolePolicy", "DetachRolePolicy"):
            roles = [item.resource for item in self._plan if isinstance(item.resource, IamRole)]
            managed = tuple(sorted({arn for each in roles for arn in each.managed_policies}))
            limit: Conditions = {"ArnEquals": {"iam:PolicyARN": managed}} if name == "AttachRolePolicy" else NO_CONDITIONS
            yield Scope("AttachPolicies", (role,), {**limit, **(self._bounded() if limit else {})})
        elif is_read(f"iam:{name}"):
            yield Scope("ReadIdentities", (role, profile, *absent, *named_roles))
        elif name in _LIMITED:
            yield Scope("ManageRoles", (role,), self._bounded())
        else:
            yield Scope("ManageIdentities", (role, profile))

    def _bounded(self) -> Conditions:
        """Allow what widens a role's permissions for roles with the named boundary only; for any role where none is named."""
        boundary = self._config.aws.permissions_boundary
        return {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else NO_CONDITIONS

    def _ec2(self, name: str) -> Iterator[Scope]:
        everything = self.place.arn("ec2", ANY)
        asked = {"StringEquals": {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}}
        ours = {"StringEquals": {f"aws:ResourceTag/{DEPLOYMENT_TAG}": self._id}}
        if name == "CreateTags":
            yield Scope("TagAtCreation", (everything,), {"StringEquals": {**asked["StringEquals"], "ec2:CreateAction": _EC2_CREATES}})
            yield Scope("ManageOwn", (everything,), ours)
        elif name == "RunInstances":
            # The interface of the instance gets no tags, so that a condition on them would refuse it.
            places = (*self._subnets(), self.place.arn("ec2", "network-interface/*"), self.place.arn("ec2", "image/*", account=""))
            key, group = self._config.deployment.key_name, self._config.aws.security_group_id
            places = (*places, *((self.place.arn("ec2", f"security-group/{group}"),) if group else ()))
            yield self._creating("instance", "volume")
            yield Scope("LaunchInto", (*places, *((self.place.arn("ec2", f"key-pair/{key}"),) if key else ())))
            yield Scope("ManageOwn", (everything,), ours)
        elif name == "CreateSecurityGroup":
            yield self._creating("security-group")
            yield Scope("InVpc", (self.place.arn("ec2", f"vpc/{self._config.aws.vpc_id or ANY}"),))
        elif name in _EC2_PARTS:
            yield self._creating(_EC2_PARTS[name])
            yield Scope("ManageOwn", (everything,), ours)
        elif name == "AllocateAddress":
            yield self._creating("elastic-ip")
        else:
            yield Scope("ManageOwn", (everything,), ours)

    def _subnets(self) -> tuple[str, ...]:
        """List the subnets to launch in; any where one is chosen by its Availability Zone, or is the default."""
        fallbacks = self._config.deployment.fallbacks
        chosen = dict.fromkeys((self._config.aws.subnet_id, *(each.subnet_id for each in fallbacks if each.subnet_id)))
        known = all(chosen) and not any(each.availability_zone for each in fallbacks)
        return tuple(self.place.arn("ec2", f"subnet/{each}") for each in (chosen if known else (ANY,)))

    def _creating(self, *kinds: str) -> Scope:
        asked = {"StringEquals": {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}}
        return Scope("Create", tuple(self.place.arn("ec2", f"{kind}/*") for kind in kinds), asked)

    def _s3(self, name: str) -> Iterator[Scope]:
        bucket = f"arn:{self.place.partition}:s3:::{self._config.gateway.s3_bucket or f'{self._id}-{self._config.name}'}"
        of_objects = "Object" in name and not name.startswith(("GetBucket", "PutBucket"))
        if of_objects:
            within = f"{bucket}/{prefix(self._config, self._id)}/*" if self._config.gateway.s3_bucket else f"{bucket}/*"
            trail = tuple(f"{each}/*" for each in self._trail_bucket())
            yield Scope("Objects", (within, *trail, *(self._state() if name in ("GetObject", "PutObject", "DeleteObject") else ())))
            if self._config.backups.bucket and name in ("GetObject", "GetObjectTagging"):
                yield Scope("Backups", (f"{self._backups()}/{prefix(self._config, self._id)}/{BACKUPS_FOLDER}/*",))
        elif name in ("ListBucket", "ListBucketVersions") or is_read(f"s3:{name}"):
            state = tuple(arn.partition("/")[0] for arn in self._state())
            yield Scope("ReadBucket", (bucket, *self._trail_bucket(), *state))
            if self._config.backups.bucket and name in ("GetEncryptionConfiguration", "ListBucket"):
                yield Scope("ReadBackups", (self._backups(),))
        elif ours := (*(() if self._config.gateway.s3_bucket else (bucket,)), *self._trail_bucket()):
            yield Scope("ManageBucket", ours)

    def _has_trail(self) -> bool:
        return any(isinstance(item.resource, Trail) for item in self._plan)

    def _trail_bucket(self) -> tuple[str, ...]:
        return (f"arn:{self.place.partition}:s3:::{self._id}-{metrics.TRAIL}",) if self._has_trail() else ()

    def _cloudtrail(self, name: str) -> Iterator[Scope]:
        yield Scope("Trail", (self.place.arn("cloudtrail", f"trail/{self._id}-*"),))

    def _backups(self) -> str:
        return f"arn:{self.place.partition}:s3:::{self._config.backups.bucket}"

    def _state(self) -> tuple[str, ...]:
        location = self._config.state.location
        return (f"arn:{self.place.partition}:s3:::{location.removeprefix('s3://')}*",) if location.startswith("s3://") else ()

    def _cognito(self, name: str) -> Iterator[Scope]:
        pools = self.place.arn("cognito-idp", "userpool/*")
        tag = {f"aws:ResourceTag/{DEPLOYMENT_TAG}": self._id}
        if name == "CreateUserPool":
            yield Scope("CreatePool", (ANY,), {"StringEquals": {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}})
        elif name == "TagResource":
            yield Scope("TagPool", (pools,), {"StringEquals": {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}})
            yield Scope("ManagePool", (pools,), {"StringEquals": tag})
        elif name in ("DescribeUserPool", "GetUserPoolMfaConfig"):
            # Two pools may have one name: the tags of each say whose it is.
            yield Scope("ReadPools", (pools,))
        else:
            yield Scope("ManagePool", (pools,), {"StringEquals": tag})
            if (named := self._named("user_pool")) and not _CHANGES_POOL.search(name):
                yield Scope("InNamedPool", (self.place.arn("cognito-idp", f"userpool/{named}"),))

    def _secretsmanager(self, name: str) -> Iterator[Scope]:
        yield Scope("Secrets", (self.place.arn("secretsmanager", f"secret:{self._id}/*"),))
        if name == "GetSecretValue" and (chosen := tuple(self._source_secrets())):
            yield Scope("SourceSecrets", chosen)

    def _source_secrets(self) -> Iterator[str]:
        for each in list_credentials(self._config):
            if each.reference.store == "aws-secretsmanager":
                name = each.reference.name
                yield name if name.startswith("arn:") else self.place.arn("secretsmanager", f"secret:{name}-??????")

    def _agentcore(self, name: str) -> Iterator[Scope]:
        gateway = gateway_name(self._config, self._id).lower()
        vault, directory = (
            self.place.arn("bedrock-agentcore", each) for each in ("token-vault/default", "workload-identity-directory/default")
        )
        runtimes = tuple(item.resource.runtime_name for item in self._plan if isinstance(item.resource, AgentRuntime))
        if name in ("CreateGateway", "CreateAgentRuntime"):
            yield Scope("CreateGateway", (ANY,), {"StringEquals": {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}})
        elif name in ("GetGateway", "GetAgentRuntime", "ListGatewayTargets", "ListTagsForResource"):
            # A listing of gateways shows no tags: each is asked whose it is.
            every = tuple(self.place.arn("bedrock-agentcore", f"{kind}/*") for kind in ("gateway", "runtime"))
            yield Scope("ReadGateways", (*every, f"{vault}/apikeycredentialprovider/*"))
        elif name == "CreateWorkloadIdentity":
            # A gateway and a runtime have an identity of their own name.
            identities = (f"{directory}/workload-identity/{each}-*" for each in (gateway, *runtimes))
            yield Scope("WorkloadIdentity", (directory, *identities))
        elif "CredentialProviders" in name:
            yield Scope("ReadProviders", (vault, f"{vault}/apikeycredentialprovider/*"))
        else:
            names = (f"{vault}/apikeycredentialprovider/{self._id}-backends", self.place.arn("bedrock-agentcore", f"gateway/{gateway}-*"))
            yield Scope("ManageGateway", (vault, *names, *(self.place.arn("bedrock-agentcore", f"runtime/{each}-*") for each in runtimes)))

    def _dynamodb(self, name: str) -> Iterator[Scope]:
        yield Scope("Tables", (self.place.arn("dynamodb", f"table/{self._id}-*"),))

    def _eks(self, name: str) -> Iterator[Scope]:
        entries = self.place.arn("eks", "access-entry/*")
        asked = {f"aws:RequestTag/{DEPLOYMENT_TAG}": self._id}
        if name in ("DescribeCluster", "ListAccessEntries"):
            yield Scope("ReadClusters", (self.place.arn("eks", "cluster/*"),))
        elif name == "CreateAccessEntry":
            # Who may create entries could otherwise let anyone into the cluster, as a member of any group.
            limits: Conditions = {
                "StringEquals": asked,
                "ArnLike": {"eks:principalArn": self.place.arn("iam", f"role/sre-agent/{self._id}/*", region="")},
                "ForAllValues:StringEquals": {"eks:kubernetesGroups": READERS},
            }
            yield Scope("EnterClusters", tuple(self.place.arn("eks", f"cluster/{each}") for each in self._entered()), limits)
        elif is_read(f"eks:{name}"):
            yield Scope("ReadEntries", (entries,))
        else:
            if name == "TagResource":
                yield Scope("TagEntry", (entries,), {"StringEquals": asked})
            yield Scope("ManageEntries", (entries,), {"StringEquals": {f"aws:ResourceTag/{DEPLOYMENT_TAG}": self._id}})

    def _entered(self) -> tuple[str, ...]:
        return tuple(item.resource.cluster_name for item in self._plan if isinstance(item.resource, AccessEntry))

    def _route53(self, name: str) -> Iterator[Scope]:
        if "HealthCheck" in name or "Tags" in name:
            # Route 53 chooses their ids, and its policies know no tags.
            yield Scope("HealthChecks", (f"arn:{self.place.partition}:route53:::healthcheck/*",))
            return
        zones = dict.fromkeys(item.resource.hosted_zone_id for item in self._plan if isinstance(item.resource, DnsRecord))
        if zones:
            yield Scope("Records", tuple(f"arn:{self.place.partition}:route53:::hostedzone/{zone}" for zone in zones))

    def _named(self, name: str) -> str:
        return next((item.named for item in self._plan if item.name == name), "")


def is_read(action: str) -> bool:
    return action.partition(":")[2].startswith(_READS) and action != "secretsmanager:GetSecretValue"
