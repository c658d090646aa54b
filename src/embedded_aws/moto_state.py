"""Read and write the state of moto inside the process, as AWS services see one another.

Nothing changes that state meanwhile: moto runs in the event loop, as this does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from embedded_aws.world import TemporaryCredentials
from sre_core import clock
from sre_core.secret import Secret

_PARTITION = "aws"


def s3_object(account_id: str, bucket: str, key: str) -> bytes | None:
    """Return the bytes of an object, or None where the bucket or key is absent."""
    from moto.s3.models import s3_backends

    backend = s3_backends[account_id][_PARTITION]
    if bucket not in backend.buckets:
        return None
    found = backend.get_object(bucket, key)
    return bytes(found.value) if found else None


def bucket_key(account_id: str, bucket: str, key: str) -> str:
    """Return the ARN of the KMS key of an object, or without `key` of the bucket's default encryption; empty where there is none."""
    from moto.s3.models import s3_backends

    backend = s3_backends[account_id][_PARTITION]
    found = backend.buckets.get(bucket)
    if found is None:
        return ""
    default = ((found.encryption or {}).get("Rule") or {}).get("ApplyServerSideEncryptionByDefault") or {}
    named = getattr(backend.get_object(bucket, key), "kms_key_id", "") if key else default.get("KMSMasterKeyID")
    # AWS's own key lets everybody in the account use it through S3.
    return kms_key_arn(account_id, str(found.region_name), named) if named and "alias/aws/" not in named else ""


def put_s3_object(account_id: str, bucket: str, key: str, body: bytes) -> None:
    """Store an object; KeyError where the bucket is absent."""
    from moto.s3.models import s3_backends

    backend = s3_backends[account_id][_PARTITION]
    if bucket not in backend.buckets:
        raise KeyError(bucket)
    backend.put_object(bucket, key, body)


def zone_of_subnet(subnet_id: str) -> str:
    """Return the Availability Zone of a subnet of any account; empty where it is absent."""
    from moto.ec2.models import ec2_backends

    regions = [backend for account in ec2_backends.values() for backend in account.values()]
    found = (in_zone[subnet_id] for each in regions for in_zone in each.subnets.values() if subnet_id in in_zone)
    return next((str(subnet.availability_zone) for subnet in found), "")


@dataclass(frozen=True)
class Ec2Place:
    """The VPC of a subnet or security group, and of a subnet the id of its Availability Zone."""

    vpc_id: str
    zone_id: str = ""


def ec2_places(account_id: str, region: str, ids: Iterable[str]) -> dict[str, Ec2Place | None]:
    """Map each id of a subnet or security group to its place; None where it is absent."""
    from moto.ec2.models import ec2_backends

    backend: Any = ec2_backends[account_id][region]
    subnets = {id: subnet for zone in backend.subnets.values() for id, subnet in zone.items()}
    groups = {id: group for vpc in backend.groups.values() for id, group in vpc.items()}
    found: dict[str, Ec2Place | None] = {}
    for id in ids:
        subnet, group = subnets.get(id), groups.get(id)
        found[id] = Ec2Place(subnet.vpc_id, subnet._availability_zone.zone_id) if subnet else Ec2Place(group.vpc_id) if group else None
    return found


def ecr_manifest(account_id: str, region: str, repository: str, tag: str, digest: str) -> str | None:
    """Return the manifest of an image by its digest, or else by its tag; None where the repository or image is absent."""
    from moto.ecr.models import ecr_backends

    found: Any = ecr_backends[account_id][region].repositories.get(repository)
    for image in tuple(found.images) if found else ():
        if image.get_image_digest() == digest if digest else tag in image.image_tags:
            return str(image.image_manifest)
    return None


def secret_string(account_id: str, region: str, arn: str) -> str | None:
    """Return the current SecretString, or None where the secret is absent, scheduled for deletion or without text."""
    from moto.secretsmanager.models import secretsmanager_backends

    found: Any = secretsmanager_backends[account_id][region].secrets.get(arn)
    if found is None or found.is_deleted():
        return None
    current = found.versions.get(found.default_version_id)
    text = current.get("secret_string") if current else None
    return str(text) if text is not None else None


def secret_strings(account_id: str, region: str, arn: str) -> dict[str, str]:
    """Map each staging label of a secret to the SecretString that has it; nothing where the secret is absent or scheduled for deletion."""
    from moto.secretsmanager.models import secretsmanager_backends

    found: Any = secretsmanager_backends[account_id][region].secrets.get(arn)
    if found is None or found.is_deleted():
        return {}
    versions = [(each["version_stages"], each.get("secret_string")) for each in found.versions.values()]
    return {stage: str(text) for stages, text in versions if text is not None for stage in stages}


_INSTANCE_SECONDS = 30 * 24 * 3600


def assume_role(account_id: str, region: str, role_arn: str, session_name: str) -> TemporaryCredentials:
    """Create credentials as STS does; GetCallerIdentity answers with the role for them."""
    from moto.sts.models import sts_backends

    session = sts_backends[account_id][_PARTITION].assume_role(
        region_name=region, role_session_name=session_name, role_arn=role_arn, policy="", duration=_INSTANCE_SECONDS, external_id=""
    )
    return TemporaryCredentials(
        access_key_id=session.access_key_id,
        secret_access_key=Secret(session.secret_access_key),
        session_token=Secret(session.session_token),
        expiration=session.expiration,
    )


def route53_addresses(account_id: str, host: str) -> tuple[str, ...]:
    """Return the A records of a name, following CNAMEs inside the zones of the account."""
    from moto.route53.models import route53_backends

    zones = route53_backends[account_id][_PARTITION].zones.values()
    records = {(record.name.rstrip(".").lower(), record.type): record for zone in zones for record in tuple(zone.rrsets)}
    name = host.rstrip(".").lower()
    for _ in range(8):  # resolvers follow about as many aliases before they report a loop
        if address_record := records.get((name, "A")):
            return tuple(address_record.records or ())
        alias = records.get((name, "CNAME"))
        if not alias or not alias.records:
            return ()
        name = str(alias.records[0]).rstrip(".").lower()
    return ()


def deliver_logs(account_id: str, region: str, resource_arn: str, stream: str, lines: Sequence[str]) -> None:
    """Deliver application logs of a resource into the log groups that its owner chose; into none where there is no delivery."""
    from moto.logs.models import logs_backends

    backend = logs_backends[account_id][region]
    sources = {each.name for each in backend.delivery_sources.values() if resource_arn in each.resource_arns}
    chosen = {each.delivery_destination_arn for each in backend.deliveries.values() if each.delivery_source_name in sources}
    for destination in (each for each in backend.delivery_destinations.values() if each.arn in chosen):
        arn = destination.delivery_destination_configuration["destinationResourceArn"]
        group = backend.groups.get(arn.removesuffix(":*").rpartition(":log-group:")[2])
        if group is not None:
            _put_lines(group, stream, lines)


def write_logs(account_id: str, region: str, group_name: str, stream: str, lines: Sequence[str]) -> None:
    """Write lines into a log group, which is created where it is absent: without tags, and for ever."""
    from moto.logs.models import logs_backends

    backend = logs_backends[account_id][region]
    if group_name not in backend.groups:
        backend.create_log_group(group_name, {})
    _put_lines(backend.groups[group_name], stream, lines)


def _put_lines(group: Any, stream: str, lines: Sequence[str]) -> None:
    if stream not in group.streams:
        group.create_log_stream(stream)
    now = int(clock.now().timestamp() * 1000)
    group.put_log_events(stream, [{"timestamp": now, "message": line} for line in lines])


@dataclass(frozen=True)
class HealthCheck:
    """The endpoint of a Route 53 health check, and how many answers in a row change its state."""

    id: str
    address: str
    domain: str
    port: int
    path: str
    secure: bool
    sends_name: bool
    threshold: int
    inverted: bool
    disabled: bool


def health_checks(account_id: str) -> tuple[HealthCheck, ...]:
    """List the health checks that ask by HTTP or HTTPS."""
    from moto.route53.models import route53_backends

    checks = route53_backends[account_id][_PARTITION].health_checks.values()
    return tuple(
        HealthCheck(
            id=str(check.id),
            address=check.ip_address or "",
            domain=check.fqdn or "",
            port=int(check.port),
            path=check.resource_path or "/",
            secure=check.type_ == "HTTPS",
            sends_name=bool(check.enable_sni and check.fqdn),
            threshold=int(check.failure_threshold),
            inverted=bool(check.inverted),
            disabled=bool(check.disabled),
        )
        for check in checks
        if check.type_ in ("HTTP", "HTTPS")
    )


def report_health(account_id: str, check_id: str, said: str, healthy: bool | None) -> None:
    """Keep what was answered last, and, where its state is to be reported, put it into CloudWatch of us-east-1."""
    from moto.cloudwatch.models import cloudwatch_backends
    from moto.route53.models import route53_backends

    check = route53_backends[account_id][_PARTITION].health_checks.get(check_id)
    if check is None:
        return
    check.observed = said, clock.now()  # type: ignore[attr-defined]  # strict/route53.py shows it
    if healthy is not None:
        # moto keeps times without a zone.
        values = {"HealthCheckStatus": float(healthy), "HealthCheckPercentageHealthy": 100.0 * healthy}
        of_check = [{"Name": "HealthCheckId", "Value": check_id}]
        data = [
            {"MetricName": name, "Value": value, "Timestamp": clock.now().replace(tzinfo=None), "Dimensions": of_check}
            for name, value in values.items()
        ]
        cloudwatch_backends[account_id]["us-east-1"].put_metric_data("AWS/Route53", data)


def secret_arn(account_id: str, region: str, secret_id: str, *, deleted: bool = False) -> str | None:
    """Return the ARN of a secret by its name or ARN; None where it is absent, or scheduled for deletion unless `deleted`."""
    from moto.secretsmanager.models import secretsmanager_backends

    for secret in secretsmanager_backends[account_id][region].secrets.values():
        if secret_id in (secret.arn, secret.name) and (deleted or not secret.is_deleted()):
            return str(secret.arn)
    return None


def create_secret(account_id: str, region: str, name: str, text: str) -> str:
    """Create a secret that AgentCore manages, and return its ARN."""
    from moto.secretsmanager.models import secretsmanager_backends

    secrets = secretsmanager_backends[account_id][region]
    answer = json.loads(
        secrets.create_secret(
            name=name,
            secret_string=text,
            secret_binary=None,
            description="Managed by Amazon Bedrock AgentCore Identity",
            tags=[],
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
    )
    return str(answer["ARN"])


def update_secret(account_id: str, region: str, arn: str, text: str) -> None:
    """Replace the text of a secret that AgentCore manages."""
    from moto.secretsmanager.models import secretsmanager_backends

    secretsmanager_backends[account_id][region].update_secret(secret_id=arn, secret_string=text, client_request_token=str(uuid4()))


def delete_secret(account_id: str, region: str, arn: str) -> None:
    """Delete a secret that AgentCore manages, at once; an absent secret is no error."""
    from moto.secretsmanager.models import secretsmanager_backends

    if secret_arn(account_id, region, arn) is None:
        return
    secretsmanager_backends[account_id][region].delete_secret(
        secret_id=arn, recovery_window_in_days=None, force_delete_without_recovery=True
    )


def associated_address(account_id: str, region: str, association_id: str) -> str:
    """Return the id of the Elastic IP, or of the subnet, that has this association; empty where none has it."""
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[account_id][region]
    found = {str(address.association_id): str(address.allocation_id) for address in backend.addresses}
    for table in backend.route_tables.values():
        found |= {str(association): str(subnet) for association, subnet in table._associations.items()}
    return found.get(association_id, "")


def tags_by_arn(account_id: str, arn: str) -> dict[str, str]:
    """Return the tags of a resource of EC2, Cognito, Secrets Manager, CloudWatch Logs or EKS; none for any other or absent one."""
    # What is no ARN has too few parts, and no service.
    _, _, service, region, _, resource = (*arn.split(":", 5), *[""] * 5)[:6]
    id = resource.rpartition("/")[2]
    match service:
        case "ec2":
            from moto.ec2.models import ec2_backends

            return {str(key): str(value) for key, value in ec2_backends[account_id][region].tags.get(id, {}).items()}
        case "cognito-idp":
            from moto.cognitoidp.models import cognitoidp_backends

            pool = cognitoidp_backends[account_id][region].user_pools.get(id)
            return dict(pool.extended_config.get("UserPoolTags") or {}) if pool else {}
        case "logs":
            from moto.logs.models import logs_backends

            return dict(logs_backends[account_id][region].tagger.get_tag_dict_for_resource(arn))
        case "secretsmanager":
            from moto.secretsmanager.models import secretsmanager_backends

            secret = secretsmanager_backends[account_id][region].secrets.get(arn)
            return {tag["Key"]: tag["Value"] for tag in (secret.tags or () if secret else ())}
        case "eks":
            return dict(access_entry(account_id, region, arn).get("tags", {}))
    return {}


def access_entry(account_id: str, region: str, arn: str) -> dict[str, Any]:
    """Return an access entry of a cluster of EKS by its ARN, as the local AWS keeps it; empty where it is absent."""
    entries = (entry for cluster in _clusters(account_id, region) for entry in cluster.access_entries.values())
    return next((entry for entry in entries if entry["accessEntryArn"] == arn), {})


def access_entry_arn(account_id: str, region: str, cluster: str, principal: str) -> str:
    """Return the ARN of the access entry of a principal in a cluster; empty where it is absent."""
    found = next((each for each in _clusters(account_id, region) if each.name == cluster), None)
    return str(found.access_entries.get(principal, {}).get("accessEntryArn", "")) if found else ""


def _clusters(account_id: str, region: str) -> tuple[Any, ...]:
    from moto.eks.models import eks_backends

    return tuple(eks_backends[account_id][region].clusters.values())


def kms_key_arn(account_id: str, region: str, id: str) -> str:
    """Return the ARN of a KMS key of this region by its id, ARN or alias; empty where it is absent."""
    from moto.kms.models import kms_backends

    backend: Any = kms_backends[account_id][region]
    alias = backend.get_alias_name(id)
    known = backend.get_key_id_from_alias(alias) if alias.startswith("alias/") else id
    found = backend.keys.get(backend.get_key_id(known or ""))
    return str(found.arn) if found is not None else ""


def bucket_policy(account_id: str, bucket: str) -> dict[str, Any]:
    """Return the policy of a bucket; an empty one where it has none, or is absent."""
    from moto.s3.models import s3_backends

    found = s3_backends[account_id][_PARTITION].buckets.get(bucket)
    return dict(json.loads(found.policy)) if found is not None and found.policy else {}


def log_group(account_id: str, region: str, name: str) -> Any:
    """Return a log group; None where it is absent."""
    from moto.logs.models import logs_backends

    return logs_backends[account_id][region].groups.get(name)


def kms_key_policy(account_id: str, region: str, arn: str) -> str:
    """Return the policy of a KMS key of this region, which exists."""
    from moto.kms.models import kms_backends

    return str(kms_backends[account_id][region].keys[arn.rpartition("/")[2]].policy)


def kms_key_state(account_id: str, region: str, arn: str) -> str:
    """Return the state of a KMS key of this region, such as `Enabled`; empty where it is absent."""
    from moto.kms.models import kms_backends

    found: Any = kms_backends[account_id][region].keys.get(arn.rpartition("/")[2])
    return str(found.key_state) if found is not None and found.arn == arn else ""
