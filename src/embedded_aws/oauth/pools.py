"""Read from the state of moto what the OAuth endpoints need of a user pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from joserfc.jwk import RSAKey

from embedded_aws.strict.cognito import client_secrets
from embedded_aws.strict.cognito_custom_domain import status_of
from sre_core.secret import Secret

_UNITS = {"seconds": timedelta(seconds=1), "minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}
_DEFAULT_VALIDITY = timedelta(hours=1)


@dataclass(frozen=True)
class Client:
    """An app client."""

    client_id: str
    secrets: tuple[Secret, ...]
    """Each is accepted; two while one is rotated, none where the client has none."""
    flows: frozenset[str]
    scopes: tuple[str, ...]
    access_token_validity: timedelta


@dataclass(frozen=True)
class Pool:
    """A user pool with its domain, the scopes of its resource servers and its app clients."""

    pool_id: str
    domain: str
    scopes: frozenset[str]
    clients: Mapping[str, Client]
    key: RSAKey


def find(account_id: str, pool_id: str) -> Pool | None:
    """Return the pool of this id, or None; its region is the first part of its id."""
    from moto.cognitoidp.models import cognitoidp_backends

    regions = cognitoidp_backends[account_id]
    region = pool_id.rpartition("_")[0]
    found = regions[region].user_pools.get(pool_id) if region in regions else None
    return _pool(found) if found else None


def find_by_domain(account_id: str, domain: str) -> Pool | None:
    """Return the pool of this domain, in any region."""
    from moto.cognitoidp.models import cognitoidp_backends

    for backend in cognitoidp_backends[account_id].values():
        found = backend.user_pool_domains.get(domain)
        if found and status_of(found) != "CREATING":
            return find(account_id, found.user_pool_id)
    return None


def _pool(found: Any) -> Pool:
    return Pool(
        pool_id=found.id,
        domain=_shown_domain(found),
        scopes=frozenset(
            f"{server.identifier}/{scope['ScopeName']}" for server in found.resource_servers.values() for scope in server.scopes or ()
        ),
        clients={client.id: _client(client) for client in found.clients.values()},
        key=found.json_web_key,
    )


def _shown_domain(found: Any) -> str:
    """Return the domain of the discovery document: the custom domain once it is there, else the prefix.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html
    """
    domains = [each for each in found.backend.user_pool_domains.values() if each.user_pool_id == found.id]
    served = sorted((each for each in domains if status_of(each) != "CREATING"), key=lambda each: not each.custom_domain_config)
    return served[0].domain if served else ""


def _client(found: Any) -> Client:
    settings = found.extended_config
    # Without this switch Cognito ignores the OAuth settings of a client.
    enabled = settings.get("AllowedOAuthFlowsUserPoolClient")
    return Client(
        client_id=found.id,
        secrets=tuple(Secret(value) for _, _, value in client_secrets(found)),
        flows=frozenset(settings.get("AllowedOAuthFlows") or ()) if enabled else frozenset(),
        scopes=tuple(settings.get("AllowedOAuthScopes") or ()) if enabled else (),
        access_token_validity=_validity(settings),
    )


def _validity(settings: Mapping[str, Any]) -> timedelta:
    amount = settings.get("AccessTokenValidity")
    unit = (settings.get("TokenValidityUnits") or {}).get("AccessToken", "hours")
    return int(amount) * _UNITS[unit] if amount else _DEFAULT_VALIDITY
