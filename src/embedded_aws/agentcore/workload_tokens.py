"""The tokens with which an agent proves its workload identity: opaque to it, and signed with a key of this start."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from datetime import timedelta
from typing import Any

from sre_core import clock
from sre_core.secret import Secret

_LIFETIME = timedelta(minutes=15)


class WorkloadTokens:
    """Issues and verifies the tokens of workload identities."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self, workload: str, user: str) -> Secret:
        """Return a token for an identity that acts for a user, or for itself."""
        parts = {"workload": workload, "user": user, "expires": (clock.now() + _LIFETIME).timestamp()}
        payload = _encode(json.dumps(parts).encode())
        return Secret(f"{payload}.{self._sign(payload)}")

    def verify(self, token: str) -> str:
        """Return the name of the identity of a token; empty where it was not issued here, or has expired."""
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(payload).encode()):
            return ""
        parts = decode_object(payload)
        return str(parts["workload"]) if clock.now().timestamp() < parts["expires"] else ""

    def _sign(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), hashlib.sha256))


def workload_in(token: str) -> str:
    """Return the name that a token claims, for authorization; if the claim is true is found out when the call is performed."""
    return str(decode_object(token.partition(".")[0]).get("workload", ""))


def decode_object(part: str) -> dict[str, Any]:
    """Return the JSON object in one part of a token; an empty one where it is none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
