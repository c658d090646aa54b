"""One of each thing that a resource may lie in or refer to, made once for all resources that are then tried."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.access_logs import accept_logs
from fixtures.acm import import_certificate
from fixtures.embedded import EmbeddedAws
from fixtures.engine import deployers_aws
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.create import configure_resource, restore_tags, wait_until_ready
from sre_agent_deploy.resource import Mark, Resource
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.ec2_calls import latest_image
from sre_agent_deploy.resources.ec2_elastic_ip import ElasticIp
from sre_agent_deploy.resources.ec2_internet_gateway import InternetGateway
from sre_agent_deploy.resources.ec2_route_table import RouteTable
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.ec2_subnet import Subnet
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_delivery_destination import DeliveryDestination
from sre_agent_deploy.resources.logs_delivery_source import DeliverySource
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_object import Content, S3Object
from sre_agent_deploy.resources.sns_topic import SnsTopic
from sre_agent_deploy.tls import local_ca

from .agentcore_neighbours import JSON_KEY, stored_schema
from .life import read
from .trail_neighbours import make_place, trail_key

DISCOVERY = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_a/.well-known/openid-configuration"
# AgentCore has no runtimes in some others.
ZONES = ("us-east-1b", "us-east-1c")


@dataclass(frozen=True, repr=False, eq=False)
class Parents:
    """A deployment of which these are parts: the values by which a resource refers to them, by the name of a field."""

    aws: Aws
    deployment: str
    authority: local_ca.LocalCa
    named: Mapping[str, tuple[str, ...]]
    trails: tuple[tuple[str, ...], ...] = ()
    """The name of each trail, and the bucket, the log group and the role that let it write."""

    def mark(self, name: str, extra: Mapping[str, str] = {}) -> Mark:
        return Mark(self.deployment, name, 1, f"{self.deployment}-{secrets.token_hex(12)}", extra)


def make_parents(embedded: EmbeddedAws, folder: Path) -> Parents:
    made = _Maker(Parents(deployers_aws(embedded), f"sre-{secrets.token_hex(5)}", local_ca.open_local_ca(folder / "ca"), {}))
    named = {**made.files(), **made.identities(), **made.network(), **made.login(), **made.monitoring(folder)}
    named |= made.agentcore(named)
    return Parents(made.of.aws, made.of.deployment, made.of.authority, named, made.trails())


def finish(aws: Aws, wanted: Resource, id: str, mark: Mark) -> Aws:
    """Configure what was just created and wait until it works, as a deployment does. Returns the look at AWS that showed it."""
    look = aws.observing()
    problem = configure_resource(look, wanted, id) or (restore_tags(look, wanted, id, mark) if wanted.TAGS_LATER else None)
    ready = problem or wait_until_ready(look, wanted, id)
    assert isinstance(ready, Aws), ready
    return ready


class _Maker:
    def __init__(self, of: Parents) -> None:
        self.of, self.aws, self.id = of, of.aws, of.deployment

    def make(self, wanted: Resource, output: str = "") -> str:
        """Make it and answer its id, or one of its outputs."""

        mark = self.of.mark(wanted.name)
        id = wanted.create(self.aws, mark)
        ready = finish(self.aws, wanted, id, mark)
        return str(read(ready, wanted, id).outputs[output]) if output else id

    def files(self) -> dict[str, tuple[str, ...]]:
        s3, bucket, logs = self.aws.client("s3"), f"{self.id}-files", f"{self.id}-logs"
        self.make(S3Bucket(name="bucket", bucket_name=bucket))
        s3.create_bucket(Bucket=logs)
        s3.put_bucket_policy(Bucket=logs, Policy=json.dumps(accept_logs(logs)))
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("main.py", "")
            archive.writestr("serve.py", "")
        for key, body in (("ca.pem", self.of.authority.trusted.encode()), ("a.zip", package.getvalue()), ("b.zip", package.getvalue())):
            self.make(S3Object(name=key, bucket_name=bucket, key=key, content=Content(body), content_type="text/plain"))
        return {
            "bucket_name": (bucket,),
            "access_log": (f"{logs}/", f"{logs}/files/", f"{logs}/{self.id}/"),
            "ca_uri": (f"s3://{bucket}/ca.pem",),
            "artifact": ("a.zip", "b.zip"),
            "schema_uri": tuple(stored_schema(self.aws, bucket, f"{self.id}/{name}.json") for name in ("logs", "metrics")),
        }

    def identities(self) -> dict[str, tuple[str, ...]]:
        path = f"/sre-agent/{self.id}/"
        services = {"agents": "bedrock-agentcore.amazonaws.com", "machines": "ec2.amazonaws.com"}
        roles = {
            name: self.make(IamRole(name=name, role_name=f"{self.id}-{name}", path=path, service=services[name]), "role_arn")
            for name in services
        }
        machines = f"{self.id}-machines"
        profile = InstanceProfile(name="profile", profile_name=machines, path=path, role_name=machines)
        kms, keys = self.aws.client("kms"), json.dumps({JSON_KEY: "a key for tests", "other": "another key for tests"})
        secret = self.aws.client("secretsmanager").create_secret(Name=f"{self.id}/backend", SecretString=keys)["ARN"]
        key = ApiKeyCredentialProvider(name="key", provider_name=f"{self.id}-key", secret_arn=secret, json_key=JSON_KEY)
        return {
            "role_arn": (roles["agents"],),
            "principal_arn": tuple(roles.values()),
            "role_name": (machines, f"{self.id}-agents"),
            "profile_arn": (self.make(profile, "profile_arn"),),
            "kms_key": tuple(kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)),
            "secret_arn": (secret,),
            "provider_arn": (self.make(key, "provider_arn"),),
        }

    def network(self) -> dict[str, tuple[str, ...]]:
        ec2: Any = self.aws.client("ec2")
        vpc = self.make(Vpc(name="vpc", cidr_block="10.77.0.0/16", ipv6=True))
        bare = tuple(self.make(Vpc(name="bare", cidr_block="10.78.0.0/16")) for _ in range(2))
        gateway = self.make(InternetGateway(name="gateway", vpc_id=vpc))
        tables = tuple(self.make(RouteTable(name="table", vpc_id=vpc, internet_gateway_id=gateway)) for _ in range(2))
        places = tuple(enumerate(ZONES))
        subnets = tuple(
            self.make(
                Subnet(
                    name=zone,
                    vpc_id=vpc,
                    cidr_block=f"10.77.{number}.0/24",
                    availability_zone=zone,
                    route_table_id=tables[0],
                    ipv6_number=number,
                )
            )
            for number, zone in places
        )
        group = SecurityGroup(name="group", group_name=f"{self.id}-all", description="for tests", vpc_id=vpc, ingress=())
        images = tuple(latest_image(self.aws, system) for system in ("amazon-linux-2023", "ubuntu-22.04"))
        launched = ec2.run_instances(ImageId=images[0], InstanceType="t3.micro", SubnetId=subnets[0], MinCount=2, MaxCount=2)
        address = ElasticIp(name="address")
        addresses = tuple(self.make(address) for _ in range(2))
        ec2.create_key_pair(KeyName=f"{self.id}-ops")
        return {
            "vpc_id": (vpc,),
            "bare_vpc_id": bare,
            "internet_gateway_id": (gateway,),
            "route_table_id": tables,
            "subnet_id": subnets,
            "security_group_id": (self.make(group),),
            "allocation_id": addresses,
            "public_ip": tuple(str(read(self.aws, address, id).outputs["public_ip"]) for id in addresses),
            "image_id": images,
            "instance_id": tuple(each["InstanceId"] for each in launched["Instances"]),
            "key_name": (f"{self.id}-ops", ""),
        }

    def login(self) -> dict[str, tuple[str, ...]]:
        pool, server = self.make(UserPool(name="pool", pool_name=self.id)), f"{self.id}-server"
        scopes = tuple(f"{server}/{name}" for name in ("read", "write", "gateway.invoke"))
        named = tuple((scope.rpartition("/")[2], "for tests") for scope in scopes)
        self.make(ResourceServer(name="server", user_pool_id=pool, identifier=server, scopes=named))
        return {"user_pool_id": (pool,), "scopes": scopes}

    def monitoring(self, folder: Path) -> dict[str, tuple[str, ...]]:
        names = (f"{self.id}-parent-a", f"{self.id}-parent-b")
        groups = [self.make(LogGroup(name=name, log_group_name=name, retention_days=1), "arn") for name in names]
        cluster, zone = f"{self.id}-cluster", f"{self.id}.example.com"
        role = f"arn:aws:iam::{self.aws.account_id}:role/cluster"
        self.aws.client("eks").create_cluster(
            name=cluster,
            roleArn=role,
            resourcesVpcConfig={"subnetIds": ["subnet-1"]},
            accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"},
        )
        zone_id = self.aws.client("route53").create_hosted_zone(Name=zone, CallerReference=self.id)["HostedZone"]["Id"]
        parent: Any = {"Name": zone, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        self.aws.client("route53").change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": parent}]}
        )
        destinations = (
            DeliveryDestination(name=name, delivery_destination_name=f"{self.id}-parent-{name}", destination_arn=groups[0]) for name in "cd"
        )
        return {
            "destination_arn": tuple(groups),
            "log_group_name": names,
            "delivery_destination_arn": tuple(self.make(each, "arn") for each in destinations),
            "alarm_actions": tuple(self.topic(name) for name in ("alerts", "others")),
            "cluster_name": (cluster,),
            "trail_key": tuple(trail_key(self.aws, "kms:GenerateDataKey*", "kms:DescribeKey") for _ in range(2)),
            "zone": (zone,),
            "hosted_zone_id": (zone_id.rpartition("/")[2],),
            "certificate_arn": tuple(import_certificate(self.aws.client("acm"), f"*.{zone}", folder / "acm") for _ in range(2)),
        }

    def trails(self) -> tuple[tuple[str, ...], ...]:
        names = [f"{self.id}-trail-{name}" for name in "ab"]
        return tuple((name, *make_place(self.aws, self.of.mark, self.id, name, name).values()) for name in names)

    def topic(self, name: str) -> str:
        arn = f"arn:aws:sns:{self.aws.region}:{self.aws.account_id}:{self.id}-{name}"
        return self.make(SnsTopic(name=name, topic_arn=arn, display_name="", budgets=True))

    def agentcore(self, named: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        known: Any = {"description": "for tests", "role_arn": named["role_arn"][0], "discovery_url": DISCOVERY, "allowed_clients": ("one",)}
        gateways = [Gateway(name=name, gateway_name=f"{self.id}-parent-{name}", **known) for name in ("e", "f")]
        package: Any = {"bucket_name": named["bucket_name"][0], "artifact": "a.zip"}
        runtime = AgentRuntime(name="runtime", runtime_name=f"{self.id}-parent".replace("-", "_"), **known, **package)
        runtime_id, (first, other) = self.make(runtime), [self.make(gateway) for gateway in gateways]
        arns = [str(read(self.aws, gateway, id).outputs["arn"]) for gateway, id in zip(gateways, (first, other), strict=True)]
        source = DeliverySource(name="source", delivery_source_name=f"{self.id}-source", resource_arn=arns[0])
        return {
            "gateway_id": (first,),
            "runtime_id": (runtime_id,),
            "version": ("1",),
            "resource_arn": (arns[1],),
            "delivery_source_name": (self.make(source),),
        }
