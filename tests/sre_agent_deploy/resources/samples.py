"""One valid declaration of every resource type, and each declaration that differs from it in one value."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from sre_agent_deploy.later import Later, LaterText
from sre_agent_deploy.resource import Resource
from sre_agent_deploy.resources.kinds import declared
from sre_agent_deploy.resources.s3_object import Content
from sre_agent_deploy.tls.chain import Issued
from sre_core.secret import Secret


@dataclasses.dataclass(frozen=True)
class SampleSource:
    """A source of certificates that says whose they are."""

    identity: str
    renews: bool = True

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        return Issued(f"chain of {self.identity} for {hosts}", Secret("a key for tests"))

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return (f"have {self.identity} issue a certificate for {hosts}",)


# Values that AWS or cfn-lint accept, by the field's name; other fields get a text made of their name.
VALID: Mapping[str, Any] = {
    "access_log": "sre-0000000000-logs/files/",
    "address": "192.0.2.10",
    "ipv6_address": "2001:db8::10",
    "alarm_actions": ("arn:aws:sns:us-east-1:123456789012:sre-0000000000-alerts",),
    "alarm_threshold": 85.0,
    "allocation_id": "eipalloc-0123456789abcdef0",
    "availability_zone": "us-east-1a",
    "bucket_name": "sre-0000000000-files",
    "budget_type": "COST",
    "ca_uri": "s3://sre-0000000000-files/ca.pem",
    "content": Content(b"openapi: 3.1.0"),
    "content_type": "application/yaml",
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
    "cidr": "192.0.2.0/24",
    "cidr_block": "10.20.0.0/20",
    "comparison": "GreaterThanThreshold",
    "comparison_operator": "GREATER_THAN",
    "dashboard_body": '{"start": "-PT1H", "widgets": []}',
    "dimensions": (("InstanceId", "i-0123456789abcdef0"),),
    "delivery_destination_arn": "arn:aws:logs:us-east-1:123456789012:delivery-destination:sre-0000000000-gateway",
    "destination_arn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/sre-0000000000-gateway",
    "resource_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-0000000000-abcdefghij",
    "log_type": "APPLICATION_LOGS",
    "output_format": "json",
    "discovery_url": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Ab1/.well-known/openid-configuration",
    "domain": "sre-0000000000",
    "email": "team@example.com",
    "gateway_id": "sre-0000000000-gateway-abcdefghij",
    "headers": ("Authorization",),
    "python": "PYTHON_3_12",
    "runtime_id": "sre_0000000000-abcdefghij",
    "runtime_name": "sre_0000000000",
    "server_protocol": "HTTP",
    "version": "2",
    "endpoint_name": "live",
    "endpoint_type": "Interface",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
    "encryption": "AES256",
    "flows": ("client_credentials",),
    "auth_flows": ("ALLOW_REFRESH_TOKEN_AUTH",),
    "callback_urls": (),
    "identity_providers": (),
    "http_tokens": "required",
    "http_endpoint": "enabled",
    "metadata_tags": "disabled",
    "ownership": "BucketOwnerEnforced",
    "password_kinds": ("Lowercase",),
    "recovery": ("admin_only",),
    "permissions_boundary": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "authorizer": "CUSTOM_JWT",
    "user_existence_errors": "ENABLED",
    "volume_type": "gp3",
    "session_seconds": 3600,
    "temporary_days": 1,
    "hop_limit": 1,
    "hosts": ("sre.example.com",),
    "image_id": "ami-0123456789abcdef0",
    "trail_arn": "arn:aws:cloudtrail:us-east-1:123456789012:trail/sre-0000000000-trail",
    "log_group_arn": "arn:aws:logs:us-east-1:123456789012:log-group:sre-0000000000-trail:*",
    "gateway_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-0000000000-abcdefghij",
    "trail_name": "sre-0000000000-trail",
    "instance_id": "i-0123456789abcdef0",
    "instance_type": "t3.medium",
    "internet_gateway_id": "igw-0123456789abcdef0",
    "insufficient_data_actions": ("arn:aws:sns:us-east-1:123456789012:sre-0000000000-alerts",),
    "kms_key": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "limit_amount": "50",
    "limit_unit": "USD",
    "managed_policies": ("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",),
    "metric_value": "1",
    "mfa": "OPTIONAL",
    "missing_data": "missing",
    "notification_type": "ACTUAL",
    "ok_actions": ("arn:aws:sns:us-east-1:123456789012:sre-0000000000-alerts",),
    "path": "/sre-agent/sre-0000000000/",
    "partition_key": ("session", "S"),
    "sort_key": ("turn", "N"),
    "billing_mode": "PAY_PER_REQUEST",
    "period": 300,
    "principal_arn": "arn:aws:iam::123456789012:role/sre-agent/sre-0000000000/instance",
    "cluster_name": "prod",
    "kubernetes_groups": ("sre-agent-readers",),
    "access_policies": ("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",),
    "type": "STANDARD",
    "port": 443,
    "ports": (5432, 5432),
    "profile_arn": "arn:aws:iam::123456789012:instance-profile/sre-agent/sre-0000000000/instance",
    "protocol": "tcp",
    "provider_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/sre",
    "recipients": ("https://hooks.example.com/sre", "team@example.com"),
    "retention_days": 30,
    "route_table_ids": ("rtb-0123456789abcdef0",),
    "role_arn": "arn:aws:iam::123456789012:role/sre-agent/sre-0000000000/gateway",
    "route_table_id": "rtb-0123456789abcdef0",
    "schema_uri": "s3://sre-0000000000-files/openapi/kubernetes.json",
    "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:sre-0000000000/backend-AbCdEf",
    "source": SampleSource("a certificate authority"),
    "security_group_id": "sg-0123456789abcdef0",
    "security_group_ids": ("sg-0123456789abcdef0",),
    "service": "ec2.amazonaws.com",
    "service_name": "com.amazonaws.us-east-1.ssm",
    "statistic": "Sum",
    "status_uri": "s3://sre-0000000000-files/status/instance-1/",
    "subnet_id": "subnet-0123456789abcdef0",
    "subnet_ids": ("subnet-0123456789abcdef0",),
    "tag_key_value": "user:sre-agent:deployment-id$sre-0000000000",
    "threshold": 80.0,
    "threshold_type": "PERCENTAGE",
    "time_unit": "MONTHLY",
    "topic_arn": "arn:aws:sns:us-east-1:123456789012:sre-0000000000-alerts",
    "trust_conditions": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    "conditions": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    "actions": ("s3:GetObject",),
    "resource_path": "/ping",
    "request_interval": 30,
    "failure_threshold": 3,
    "check_type": "HTTPS",
    "resources": ("arn:aws:s3:::sre-0000000000-files/*",),
    "sid": "ReadFiles",
    "values": (("api_key", Secret("a value for tests")),),
    "user_pool_id": "us-east-1_Ab1cd2Ef3",
    "versioning": "Enabled",
    "vpc_id": "vpc-0123456789abcdef0",
}
# Where two declarations of one AWS type would be the same resource.
OF_KIND: Mapping[str, Mapping[str, Any]] = {"CustomDomain": {"domain": "auth.example.com"}, "AliasRecord": {"domain": "auth.example.com"}}
OTHER: Mapping[str, Any] = {
    "mfa": "ON",
    "recovery": ("verified_email",),
    "instance_type": "t3.large",
    "limit_amount": "60",
    "image_id": "ami-0fedcba9876543210",
    "content": Content(b"openapi: 3.0.0"),
    "dashboard_body": '{"start": "-PT2H", "widgets": []}',
    "request_interval": 10,
    "check_type": "HTTP",
    "output_format": "plain",
    "source": SampleSource("another"),
}


def kinds() -> tuple[type[Any], ...]:
    """Every class that declares a resource."""
    return tuple(sorted(declared(), key=lambda kind: kind.__name__))


def sample(kind: type[Any]) -> Any:
    """A declaration with a value in each of its fields."""
    hints = typing.get_type_hints(kind)
    own = OF_KIND.get(kind.__name__, {})
    return kind(**{field.name: own.get(field.name) or _value(field.name, hints[field.name]) for field in dataclasses.fields(kind)})


def variants(declared: Resource, *, secrets: bool = False) -> Iterator[tuple[str, Any]]:
    """For each value inside a declaration but its name: the field it is in, and the declaration with that value changed."""
    for field in dataclasses.fields(declared):  # type: ignore[arg-type]
        if field.name != "name":
            for value in _others(field.name, getattr(declared, field.name), secrets):
                other = dataclasses.replace(declared, **{field.name: value})  # type: ignore[type-var]
                # A field that follows from another one can't be changed alone.
                if other != declared:
                    yield field.name, other


def _value(name: str, hint: Any) -> Any:
    if name in VALID:
        return VALID[name]
    if hint is str or hint is LaterText or typing.get_origin(hint) is Later:
        return name.replace("_", "-")
    if hint in (bool, int):
        return hint(True) if hint is bool else 21
    if dataclasses.is_dataclass(hint):
        return sample(hint)  # type: ignore[arg-type]
    if typing.get_origin(hint) is tuple:
        parts = [part for part in typing.get_args(hint) if part is not ...]
        return tuple(_value(name, part) for part in parts)
    if getattr(hint, "__name__", "") in ("Mapping", "dict") or typing.get_origin(hint) in (Mapping, dict):
        return {"key": "value"}
    raise TypeError(f"give {name} ({hint}) a value in VALID")


def _others(name: str, value: Any, secrets: bool) -> Iterator[Any]:
    if name in OTHER:
        yield OTHER[name]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str):
        yield f"{value}x"
    elif isinstance(value, Secret):
        yield from (Secret(f"{value.reveal()}x"),) if secrets else ()
    else:
        yield from _with_one_part_changed(value, secrets)


def _with_one_part_changed(value: Any, secrets: bool) -> Iterator[Any]:
    if isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from ((*value[:index], other, *value[index + 1 :]) for other in _others("", part, secrets))
    elif isinstance(value, Mapping):
        yield from ({**value, key: other} for key, part in value.items() for other in _others("", part, secrets))
    else:
        for field in (field for field in dataclasses.fields(value) if field.compare):
            yield from (dataclasses.replace(value, **{field.name: other}) for other in _others("", getattr(value, field.name), secrets))
