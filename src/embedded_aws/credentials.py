"""The access keys whose signatures are accepted: the random key of this start, and those that IAM, STS and instances created."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime

from sre_core.secret import Secret

_KEY_ID_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class AccessKey:
    """One access key, with which requests can be signed."""

    access_key_id: str
    secret_access_key: Secret
    arn: str
    session_token: Secret | None = None
    expiration: datetime | None = None


def new_root_key(account_id: str) -> AccessKey:
    """Create the random access key of the account root: only a program that can read the registry file can sign requests."""
    key_id = "AKIA" + "".join(secrets.choice(_KEY_ID_ALPHABET) for _ in range(16))
    return AccessKey(key_id, Secret(secrets.token_urlsafe(30)), f"arn:aws:iam::{account_id}:root")


class Keyring:
    """All access keys, by their id."""

    def __init__(self, account_id: str, root: AccessKey) -> None:
        self._account_id = account_id
        self.root = root

    def find(self, access_key_id: str) -> AccessKey | None:
        """Return the active key of this id, or None."""
        if access_key_id == self.root.access_key_id:
            return self.root
        return self._session(access_key_id) or self._user(access_key_id)

    def _session(self, access_key_id: str) -> AccessKey | None:
        from moto.sts.models import sts_backends

        session = sts_backends[self._account_id]["aws"].get_assumed_role_from_access_key(access_key_id)
        if not session:
            return None
        expiration = session.expiration.replace(tzinfo=session.expiration.tzinfo or UTC)
        return AccessKey(access_key_id, Secret(session.secret_access_key), session.arn, Secret(session.session_token), expiration)

    def _user(self, access_key_id: str) -> AccessKey | None:
        from moto.iam.models import iam_backends

        for user in iam_backends[self._account_id]["aws"].users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status == "Active":
                    return AccessKey(access_key_id, Secret(key.secret_access_key), user.arn)
        return None
