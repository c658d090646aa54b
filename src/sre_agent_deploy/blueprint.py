"""START HERE: from a configuration to the resources of a deployment, in the order a person would make them (pure)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import chain

from sre_agent_deploy import deployment_tags
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.agentcore import (
    declare_client_secrets,
    declare_custom_domain,
    declare_gateway,
    declare_gateway_role,
    declare_login,
    declare_object,
    declare_provider,
    declare_runtime,
    declare_targets,
)
from sre_agent_deploy.alarms import TOPIC
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.operations import XRAY
from sre_agent_deploy.config.sources import list_entered_clusters
from sre_agent_deploy.deployment_tags import state_tags
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.instance.user_data import describe_machine, group_credentials, render_user_data, secret_name
from sre_agent_deploy.later import LaterText, Ref, decode_refs, text
from sre_agent_deploy.monitoring import declare_monitoring
from sre_agent_deploy.names import (
    API_KEY,
    SESSION_TABLE,
    address,
    api_key,
    moves_by_name,
    prefix,
)
from sre_agent_deploy.network import declare_endpoints, declare_network, list_places, vpc_cidr, vpc_id
from sre_agent_deploy.policies import (
    backup_statements,
    bucket_key_statements,
    instance_role_statements,
    log_statements,
    metric_statements,
    model_statements,
    order_statements,
    session_statements,
    source_statements,
    trace_statements,
)
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_agent_deploy.resources.budgets_budget import Budget, Notification
from sre_agent_deploy.resources.certificate import Certificate
from sre_agent_deploy.resources.dynamodb_table import DynamoDbTable
from sre_agent_deploy.resources.ec2_address_association import AddressAssociation
from sre_agent_deploy.resources.ec2_elastic_ip import ElasticIp, MachineAddress
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_agent_deploy.resources.ec2_security_group import Ingress, SecurityGroup
from sre_agent_deploy.resources.eks_access_entry import READERS, AccessEntry
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.route53_record import DnsRecord
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_bucket_settings import OLD_VERSION_DAYS
from sre_agent_deploy.resources.secretsmanager_secret import GeneratedSecret, StoredSecret
from sre_core import duration, release
from sre_core.machine import BACKUPS_FOLDER, STATUS_FOLDER


def blueprint(config: Config, facts: AccountFacts) -> Blueprint:
    """Declare every resource of this deployment. The deployment's id is its name in AWS: in tags, names and paths."""
    id = facts.deployment_id(config.name)
    endpoints = declare_endpoints(config, facts, id, instance_statements(config, _where(facts), id))
    return Blueprint(
        id,
        (
            bucket(config, id),
            backend_key(config, facts, id),
            *declare_login(config, id),
            *declare_client_secrets(id),
            *source_secrets(config, facts, id),
            declare_provider(config, id),
            declare_gateway_role(config, facts, id),
            declare_gateway(config, id),
            *fixed_address(config),
            *certificate(config, facts, id),
            *declare_targets(config, facts, id),
            release_object(config, facts, id),
            *session_table(config, id),
            *instance_identity(config, facts, id),
            *access_entries(config),
            *declare_network(config, facts),
            security_group(config, facts, id),
            *endpoints,
            instance(config, facts, id, after=tuple(item.name for item in endpoints)),
            *machine_address(config),
            association(),
            *dns(config),
            *declare_custom_domain(config, facts.zone_name),
            *declare_runtime(config, facts, id),
            *declare_monitoring(config, facts, id),
            *budget(config, id),
        ),
        {**config.tags, **deployment_tags.ttl_tags(config.deployment.ttl), **state_tags(facts.state_location)},
        duration.parse(config.deployment.keep_previous) or timedelta(0),
    ).in_order()


def bucket(config: Config, id: str) -> Item:
    chosen = config.gateway
    name = chosen.s3_bucket or f"{id}-{config.name}"
    # The machine may delete its backups, but not their versions.
    versioned = chosen.versioning or bool(config.backups.at and not config.backups.bucket)
    declared = S3Bucket(
        name="bucket",
        bucket_name=name,
        encryption=f"aws:kms {config.gateway.kms_key_arn}" if config.gateway.kms_key_arn else "AES256",
        versioning="Enabled" if versioned else "Off",
        old_version_days=OLD_VERSION_DAYS if versioned else 0,
        cors_origins=chosen.cors_origins,
        access_log=f"{chosen.access_log_bucket}/{name}/" if chosen.access_log_bucket else "",
    )
    return Item(declared, named=chosen.s3_bucket)


def backend_key(config: Config, facts: AccountFacts, id: str) -> Item:
    return Item(
        GeneratedSecret(
            name=deployment_tags.TTL_RESOURCE,
            secret_name=f"{id}/backend-api-key",
            json_key=API_KEY,
            description="API key with which the gateway calls the backend APIs",
            ttl=config.deployment.ttl,
            state_location=facts.state_location,
        )
    )


def source_secrets(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare one secret for each service, with the credentials of the systems of the user's from which it answers."""
    return tuple(
        Item(
            StoredSecret(
                name=secret_name(service),
                secret_name=f"{id}/source-{service}",
                values=tuple((key, facts.source_secrets[service, key]) for key in keys),
            )
        )
        for service, keys in group_credentials(config).items()
    )


def certificate(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    host: LaterText = config.deployment.domain_name or address("public_ip")
    served = Certificate(name="certificate", secret_name=f"{id}/certificate", source=facts.certificate, hosts=(host,))
    if not facts.private_ca:
        return (Item(served),)
    key = f"private-ca/{_digest(facts.private_ca)}.pem"
    return (
        Item(served),
        Item(declare_object(config, id, "private_ca", key=key, body=facts.private_ca, content_type="application/x-pem-file")),
    )


def _digest(text: str) -> str:
    """Shorten a text to a name. A gateway target reads its authority once; another one must be another key, or it would go unnoticed."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def release_object(config: Config, facts: AccountFacts, id: str) -> Item:
    key = f"releases/{facts.release_sha256}.zip"
    return Item(declare_object(config, id, "release", key=key, body=facts.release, content_type="application/zip"))


def session_table(config: Config, id: str) -> tuple[Item, ...]:
    """Declare the table in which the assistant keeps the questions of sessions, where the configuration chooses DynamoDB."""
    if config.assistant.sessions != "dynamodb":
        return ()
    table = DynamoDbTable(
        name=SESSION_TABLE,
        table_name=f"{id}-sessions",
        partition_key=("session", "S"),
        sort_key=("turn", "N"),
        ttl_attribute="expires",
    )
    return (Item(table),)


def instance_statements(config: Config, where: tuple[str, str, str], id: str) -> tuple[Statement, ...]:
    """List what the instance may do; its VPC endpoints let through the same. `where` is partition, region and account."""
    partition, region, _ = where
    return (
        *instance_role_statements(prefix(config, id), api_key(config).secret_arn, _list_own_secrets(config)),
        *bucket_key_statements(region, config.gateway.kms_key_arn, "kms:GenerateDataKey"),
        *metric_statements(id),
        *(_order_statements(config, partition) if config.tls.source == "letsencrypt" else ()),
        *(() if config.assistant.on_runtime else _assistant_statements(config, where)),
        *source_statements(*where, chain.from_iterable(config.services.live().values())),
        *(log_statements() if config.is_monitored(config.mode) else ()),
        *(trace_statements() if config.monitoring.traces == XRAY else ()),
        *(_backup_statements(config, partition, id) if config.backups.at else ()),
    )


def _backup_statements(config: Config, partition: str, id: str) -> tuple[Statement, ...]:
    elsewhere = config.backups.bucket
    return backup_statements(
        f"{prefix(config, id)}/" if config.gateway.s3_bucket else "",
        None if config.credentials.user_pool_id else Ref("user_pool", "arn"),
        f"arn:{partition}:s3:::{elsewhere}" if elsewhere else Ref("bucket", "arn"),
        f"{prefix(config, id)}/{BACKUPS_FOLDER}/",
    )


def _assistant_statements(config: Config, where: tuple[str, str, str]) -> tuple[Statement, ...]:
    sessions = session_statements() if config.assistant.sessions == "dynamodb" else ()
    return (*model_statements(*where, config.assistant.models), *sessions)


def instance_identity(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    path = f"/sre-agent/{id}/"
    role = IamRole(
        name="instance_role",
        role_name=f"{id}-instance",
        path=path,
        service="ec2.amazonaws.com",
        permissions_boundary=config.aws.permissions_boundary,
        statements=instance_statements(config, _where(facts), id),
        managed_policies=(f"arn:{facts.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore",),
    )
    profile = InstanceProfile(
        name="instance_profile", profile_name=f"{id}-instance", path=path, role_name=Ref("instance_role", "role_name")
    )
    return Item(role), Item(profile)


def access_entries(config: Config) -> tuple[Item, ...]:
    """Declare that the role of the instance may enter the clusters for which the configuration asks for it."""
    role, groups = Ref("instance_role", "role_arn"), (READERS,)
    return tuple(
        Item(AccessEntry(name=f"access_entry_{cluster}", cluster_name=cluster, principal_arn=role, kubernetes_groups=groups))
        for cluster in list_entered_clusters(config.services.live())
    )


def _where(facts: AccountFacts) -> tuple[str, str, str]:
    return facts.partition, facts.region, facts.account_id


def _order_statements(config: Config, partition: str) -> tuple[Statement, ...]:
    chosen = config.deployment
    return order_statements(partition, chosen.hosted_zone_id if config.tls.challenge == "dns-01" else "", chosen.domain_name)


def _list_own_secrets(config: Config) -> tuple[str, ...]:
    """List the secrets of what the instance runs, besides the API key."""
    client = () if config.assistant.on_runtime else ("gateway_client_secret",)
    return (*client, "certificate", *(secret_name(service) for service in group_credentials(config)))


def security_group(config: Config, facts: AccountFacts, id: str) -> Item:
    """Open 443 for everyone, 80 for the redirect, the backends' own ports inside the VPC, and 22 only for the configured ranges."""
    everyone = ("0.0.0.0/0", *(("::/0",) if config.aws.ipv6 else ()))
    ingress = (
        *(Ingress(port, anyone, why) for anyone in everyone for port, why in ((443, "HTTPS"), (80, "redirect to HTTPS"))),
        *(
            Ingress(port, vpc_cidr(config, facts), f"{service.name} inside the VPC")
            for service in release.backends()
            if (port := service.port)
        ),
        *(Ingress(22, cidr, "SSH") for cidr in config.deployment.ssh_cidrs),
    )
    description = f"sre-agent {id}: HTTPS in"
    declared = SecurityGroup(name="security_group", group_name=id, description=description, vpc_id=vpc_id(config, facts), ingress=ingress)
    return Item(declared, named=config.aws.security_group_id)


def instance(config: Config, facts: AccountFacts, id: str, *, after: tuple[str, ...] = ()) -> Item:
    """Declare the machine. It boots once its endpoints work: their names lead nowhere before."""
    place, *fallbacks = list_places(config, facts)
    status_uri = text(f"s3://{{bucket}}/{prefix(config, id)}/{STATUS_FOLDER}/", bucket=Ref("bucket", "bucket_name"))
    return Item(
        Ec2Instance(
            name="instance",
            image_id=facts.image_id,
            instance_type=place.instance_type,
            subnet_id=place.subnet_id,
            fallbacks=tuple(fallbacks),
            security_group_id=Ref("security_group", "security_group_id"),
            profile_arn=Ref("instance_profile", "profile_arn"),
            user_data=decode_refs(render_user_data(describe_machine(config, facts, id))),
            volume_gb=config.deployment.volume_gb,
            key_name=config.deployment.key_name,
            status_uri=status_uri,
            operating_system="" if config.deployment.ami_id else config.deployment.operating_system,
            ipv6=config.aws.ipv6,
        ),
        after=after,
    )


def fixed_address(config: Config) -> tuple[Item, ...]:
    """Declare the address that moves from machine to machine, where no DNS record can say which one serves."""
    return () if moves_by_name(config) else (Item(ElasticIp(name="address")),)


def machine_address(config: Config) -> tuple[Item, ...]:
    """Declare an address for this machine alone, where a DNS record says which one serves."""
    return (Item(MachineAddress(name="address", instance_id=Ref("instance", "instance_id"))),) if moves_by_name(config) else ()


def association() -> Item:
    """Declare which machine has the address."""
    machine = Ref("instance", "instance_id")
    return Item(AddressAssociation(name="address_association", allocation_id=address("allocation_id"), instance_id=machine))


def dns(config: Config) -> tuple[Item, ...]:
    chosen = config.deployment
    if not moves_by_name(config):
        return ()
    record = DnsRecord(
        name="dns_record",
        hosted_zone_id=chosen.hosted_zone_id,
        domain=chosen.domain_name,
        address=address("public_ip"),
        ttl=chosen.dns_ttl,
        ipv6_address=Ref("instance", "ipv6_address") if config.aws.ipv6 else "",
    )
    # The address answers only once it is the machine's.
    return (Item(record, after=("address_association",)),)


def budget(config: Config, id: str) -> tuple[Item, ...]:
    """Declare a budget that reports costs by e-mail, and to the topic if there is one, if the configuration has a limit."""
    if config.limits.monthly_usd is None:
        return ()
    topic = Ref(TOPIC, "topic_arn") if config.is_monitored(config.mode) else ""
    thresholds = (("ACTUAL", 80.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0))
    watching = Budget(
        name="budget",
        budget_name=id,
        limit_amount=f"{config.limits.monthly_usd:.2f}",
        tag_key_value=f"user:{DEPLOYMENT_TAG}${id}",
        notifications=tuple(
            Notification(notification_type=kind, threshold=threshold, email=config.alerts.email, topic_arn=topic)
            for kind, threshold in thresholds
        ),
    )
    return (Item(watching),)
