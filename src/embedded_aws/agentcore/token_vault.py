"""The vault of tokens and secrets of an account and region, and the key that encrypts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded_aws import moto_state
from embedded_aws.agentcore.errors import Violation, invalid, not_found
from embedded_aws.agentcore.identity_records import TokenVault
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import World
from sre_core import clock

type Request = Mapping[str, Any]
type Answer = dict[str, Any]

_DEFAULT = "default"


class TokenVaults:
    """The operations on the token vault."""

    def __init__(self, world: World, registry: Registry) -> None:
        self._world = world
        self._registry = registry

    async def get(self, request: Request) -> Answer:
        """Perform GetTokenVault."""
        _refuse_others(request)
        return self._registry.vault.to_json()

    async def set_key(self, request: Request) -> Answer:
        """Perform SetTokenVaultCMK: a customer managed key must exist in this region and be enabled."""
        _refuse_others(request)
        wanted = request["kmsConfiguration"]
        arn = wanted.get("kmsKeyArn", "")
        if wanted["keyType"] == "ServiceManagedKey" and arn:
            raise _wrong("kmsKeyArn is only for CustomerManagedKey.")
        if wanted["keyType"] == "CustomerManagedKey":
            self._refuse_unusable(arn)
        self._registry.vault = TokenVault(arn, clock.now())
        return self._registry.vault.to_json()

    def _refuse_unusable(self, arn: str) -> None:
        if not arn:
            raise _wrong("kmsKeyArn is required for CustomerManagedKey.")
        state = moto_state.kms_key_state(self._world.account_id, self._world.region, arn)
        if state != "Enabled":
            raise _wrong(f"The KMS key {arn} is {state or 'not found in this region'}; it must be enabled.")


def _refuse_others(request: Request) -> None:
    if (name := request.get("tokenVaultId", _DEFAULT)) != _DEFAULT:
        raise not_found(f"Token vault not found: {name}")


def _wrong(message: str) -> Exception:
    return invalid(message, Violation("kmsConfiguration.kmsKeyArn", message))
