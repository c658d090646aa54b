"""Read and write the state of moto inside the process, as AWS services see one another.

API calls change that state in moto's thread at the same time, so a collection is copied before it is searched: `list` and `tuple`
of a dictionary's view are one step for Python, a loop over it is many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from embedded_aws.world import TemporaryCredentials
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


def put_s3_object(account_id: str, bucket: str, key: str, body: bytes) -> None:
    """Store an object; KeyError where the bucket is absent."""
    from moto.s3.models import s3_backends

    backend = s3_backends[account_id][_PARTITION]
    if bucket not in backend.buckets:
        raise KeyError(bucket)
    backend.put_object(bucket, key, body)


def secret_string(account_id: str, region: str, arn: str) -> str | None:
    """Return the current SecretString, or None where the secret is absent, scheduled for deletion or without text."""
    from moto.secretsmanager.models import secretsmanager_backends

    found: Any = secretsmanager_backends[account_id][region].secrets.get(arn)
    if found is None or found.is_deleted():
        return None
    current = found.versions.get(found.default_version_id)
    text = current.get("secret_string") if current else None
    return str(text) if text is not None else None


def role_exists(account_id: str, arn: str) -> bool:
    """Return whether IAM has a role of this ARN."""
    from moto.iam.models import iam_backends

    return any(role.arn == arn for role in tuple(iam_backends[account_id][_PARTITION].get_roles()))


def role_of_profile(account_id: str, profile_arn: str) -> str | None:
    """Return the ARN of the role in an instance profile; None where either is absent."""
    from moto.iam.models import iam_backends

    profiles = tuple(iam_backends[account_id][_PARTITION].instance_profiles.values())
    return next((str(role.arn) for profile in profiles if profile.arn == profile_arn for role in profile.roles), None)


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

    zones = tuple(route53_backends[account_id][_PARTITION].zones.values())
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


_PARTITION = "aws"

type Policy = Mapping[str, Any]


def trust_policy(account_id: str, role_arn: str) -> Policy | None:
    """Return the trust policy of a role; None where the role is absent."""
    role = _role(account_id, role_arn)
    return _document(role.assume_role_policy_document) if role is not None else None


def role_of_key(account_id: str, access_key_id: str) -> str | None:
    """Return the ARN of the role whose temporary credentials have this key; None for a user's or the root's key."""
    from moto.sts.models import sts_backends

    session = sts_backends[account_id][_PARTITION].get_assumed_role_from_access_key(access_key_id)
    return str(session.role_arn) if session else None


def role_policies(account_id: str, role_arn: str) -> tuple[Policy, ...]:
    """Return the inline and attached policies of a role that are in force now."""
    role = _role(account_id, role_arn)
    if role is None:
        return ()
    attached = (policy.default_version.document for policy in tuple(role.managed_policies.values()))
    return tuple(_document(text) for text in (*role.policies.values(), *attached))


def _role(account_id: str, role_arn: str) -> Any:
    from moto.iam.models import iam_backends

    return next((role for role in tuple(iam_backends[account_id][_PARTITION].get_roles()) if role.arn == role_arn), None)


def _document(text: str | Policy) -> Policy:
    if not isinstance(text, str):
        return text
    # IAM stores documents as they were sent; some clients send them percent-encoded.
    parsed: Policy = json.loads(text if text.lstrip().startswith("{") else unquote(text))
    return parsed


def secret_arn(account_id: str, region: str, secret_id: str) -> str | None:
    """Return the ARN of a secret by its name or ARN; None where it is absent or scheduled for deletion."""
    from moto.secretsmanager.models import secretsmanager_backends

    for secret in tuple(secretsmanager_backends[account_id][region].secrets.values()):
        if secret_id in (secret.arn, secret.name) and not secret.is_deleted():
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
