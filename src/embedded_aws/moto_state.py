"""Reads and writes moto's state from inside the process: what AWS's own services see of one another.

API calls change that state in moto's thread meanwhile, so whatever is looked through is copied first: `list` and `tuple`
of a dictionary's views are one step for Python, a loop over them is many.
"""

from __future__ import annotations

from typing import Any

from embedded_aws.world import TemporaryCredentials
from sre_core.secret import Secret

_PARTITION = "aws"


def s3_object(account_id: str, bucket: str, key: str) -> bytes | None:
    """An object's bytes, or None where bucket or key is absent."""
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
    """The current SecretString, or None where the secret is absent, scheduled for deletion or without text."""
    from moto.secretsmanager.models import secretsmanager_backends

    found: Any = secretsmanager_backends[account_id][region].secrets.get(arn)
    if found is None or found.is_deleted():
        return None
    current = found.versions.get(found.default_version_id)
    text = current.get("secret_string") if current else None
    return str(text) if text is not None else None


def role_exists(account_id: str, arn: str) -> bool:
    """Whether IAM has a role of this ARN."""
    from moto.iam.models import iam_backends

    return any(role.arn == arn for role in tuple(iam_backends[account_id][_PARTITION].get_roles()))


def assume_role(account_id: str, region: str, role_arn: str, session_name: str) -> TemporaryCredentials:
    """Credentials as STS gives them; GetCallerIdentity answers with the role for them."""
    from moto.sts.models import sts_backends

    session = sts_backends[account_id][_PARTITION].assume_role(
        region_name=region, role_session_name=session_name, role_arn=role_arn, policy="", duration=3600, external_id=""
    )
    return TemporaryCredentials(
        access_key_id=session.access_key_id,
        secret_access_key=Secret(session.secret_access_key),
        session_token=Secret(session.session_token),
        expiration=session.expiration,
    )


def route53_addresses(account_id: str, host: str) -> tuple[str, ...]:
    """The A records of a name, following CNAMEs inside the account's zones."""
    from moto.route53.models import route53_backends

    zones = tuple(route53_backends[account_id][_PARTITION].zones.values())
    records = {(record.name.rstrip(".").lower(), record.type): record for zone in zones for record in tuple(zone.rrsets)}
    name = host.rstrip(".").lower()
    for _ in range(8):  # as many aliases as a resolver follows before it calls them a loop
        if address_record := records.get((name, "A")):
            return tuple(address_record.records or ())
        alias = records.get((name, "CNAME"))
        if not alias or not alias.records:
            return ()
        name = str(alias.records[0]).rstrip(".").lower()
    return ()
