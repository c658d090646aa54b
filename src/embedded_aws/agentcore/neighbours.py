"""What AgentCore reads and makes in the account's IAM and Secrets Manager, which are moto's, in this process.

As in `moto_state`, what is looked through is copied first: moto's own thread may change it meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

_PARTITION = "aws"

type Policy = Mapping[str, Any]


def trust_policy(account_id: str, role_arn: str) -> Policy | None:
    """Who may assume a role; None where the role is absent."""
    role = _role(account_id, role_arn)
    return _document(role.assume_role_policy_document) if role is not None else None


def role_policies(account_id: str, role_arn: str) -> tuple[Policy, ...]:
    """The role's inline and attached policies, those in force now."""
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
    """The ARN of a secret by its name or ARN; None where it is absent or scheduled for deletion."""
    from moto.secretsmanager.models import secretsmanager_backends

    for secret in tuple(secretsmanager_backends[account_id][region].secrets.values()):
        if secret_id in (secret.arn, secret.name) and not secret.is_deleted():
            return str(secret.arn)
    return None


def create_secret(account_id: str, region: str, name: str, text: str) -> str:
    """Make a secret that AgentCore manages; its ARN."""
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
    """Remove a secret that AgentCore manages, at once; nothing happens where it is gone already."""
    from moto.secretsmanager.models import secretsmanager_backends

    if secret_arn(account_id, region, arn) is None:
        return
    secretsmanager_backends[account_id][region].delete_secret(
        secret_id=arn, recovery_window_in_days=None, force_delete_without_recovery=True
    )
