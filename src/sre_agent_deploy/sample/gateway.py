"""What the flags of the sample's main.py name: resources of the user's own, or those that this deployment has created itself."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sre_agent_deploy.backup.conflict import Field
from sre_agent_deploy.commands.workspace import find_state
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.sample import REQUEST
from sre_core import release

_POOL = 3  # https://cognito-idp.REGION.amazonaws.com/POOL/.well-known/openid-configuration


def name_resources(gateway_name: str, given: Mapping[str, str | bool | tuple[str, ...] | None]) -> dict[Field, str]:
    """Name the user's resources as config.yaml does. What the deployment has created is not the user's: it stays as it is."""
    state = find_state(REQUEST).state
    role, discovery, clients = (str(given[name] or "") for name in ("role_arn", "discovery_url", "allowed_clients"))
    provider = str(given["provider_arn"] or "")
    pool = discovery.split("/")[_POOL] if discovery.count("/") > _POOL else ""
    named: dict[Field, str] = {
        ("gateway", "gateway_name"): gateway_name,
        ("gateway", "description"): str(given["description_for_gateway"] or ""),
        ("gateway", "search"): {"SEMANTIC": "true", "NONE": "false"}.get(str(given["search_type"]), ""),
        ("aws", "role_name"): "" if _is_own(state, "gateway_role", role) else role,
        ("credentials", "user_pool_id"): "" if _is_own(state, "user_pool", pool) else pool,
        ("credentials", "client_id"): "" if _is_own(state, "gateway_client", clients) else clients.partition(",")[0],
        ("gateway", "provider_arn"): "" if _is_own(state, "credential_provider", provider) else provider,
    }
    if named["credentials", "client_id"]:
        named["credentials", "client_secret"] = "env:COGNITO_CLIENT_SECRET"
    return {field: value for field, value in named.items() if value}


def _is_own(state: State | None, resource: str, value: str) -> bool:
    """Say if the deployment has created the resource with this id or ARN."""
    record = state.current(resource) if state else None
    return record is not None and not record.named and value in (record.id, *map(str, record.outputs.values()))


def list_targets() -> tuple[str, ...]:
    """List the gateway's targets by their names in the plan."""
    return tuple(f"target_{service.name}" for service in release.backends())


def describe_gateway(*, as_json: bool) -> str:
    """Describe the gateway from the state, as JSON or in one line."""
    state = find_state(REQUEST).state
    record = state.current("gateway") if state else None
    outputs = dict(record.outputs) if record else {}
    return json.dumps(outputs, indent=2, default=str) if as_json else f"Gateway URL: {outputs.get('gateway_url', '')}"
