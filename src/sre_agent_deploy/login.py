"""Declares the resources that issue tokens to people, programs and the assistant (pure)."""

from __future__ import annotations

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.later import Ref, text
from sre_agent_deploy.names import CALLER_SCOPE, GATEWAY_SCOPE, RESOURCE_SERVER, creates_parent, has_custom_domain
from sre_agent_deploy.resources.client_secret import ClientSecret
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_domain import CustomDomain, UserPoolDomain
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.route53_record import AliasRecord


def declare_login(config: Config, id: str) -> tuple[Item, ...]:
    """Declare the user pool, its token endpoint, and one app client each for the gateway and the assistant."""
    pool, chosen = Ref("user_pool", "user_pool_id"), config.credentials
    named_client = f"{chosen.user_pool_id}/{chosen.client_id}" if chosen.client_id else ""
    named_domain = f"{chosen.user_pool_id}/{chosen.cognito_domain}" if chosen.user_pool_id and chosen.cognito_domain else ""
    scopes = ((GATEWAY_SCOPE, "Call tools through the gateway"), (CALLER_SCOPE, "Ask the assistant"))
    identifier = Ref("resource_server", "identifier")
    # A pool of the user may have other users too, so our resource server gets a name of its own there.
    server = id if chosen.user_pool_id else RESOURCE_SERVER
    users = UserPool(
        name="user_pool",
        pool_name=id,
        mfa=chosen.mfa,
        password_length=chosen.password_length,
        temporary_days=chosen.temporary_password_days,
    )
    return (
        Item(users, named=chosen.user_pool_id),
        Item(UserPoolDomain(name="user_pool_domain", user_pool_id=pool, domain=chosen.cognito_domain or id), named=named_domain),
        Item(ResourceServer(name="resource_server", user_pool_id=pool, identifier=server, scopes=scopes)),
        Item(
            AppClient(
                name="gateway_client",
                user_pool_id=pool,
                client_name=f"{id}-gateway",
                scopes=(text("{id}/" + GATEWAY_SCOPE, id=identifier),),
            ),
            named=named_client,
        ),
        Item(
            AppClient(
                name="caller_client", user_pool_id=pool, client_name=f"{id}-caller", scopes=(text("{id}/" + CALLER_SCOPE, id=identifier),)
            )
        ),
    )


def declare_custom_domain(config: Config, zone_name: str) -> tuple[Item, ...]:
    """Declare a name of the user's for the login, and its record where the hosted zone contains it; else that is the user's to make."""
    chosen, zone = config.credentials, config.deployment.hosted_zone_id
    if not has_custom_domain(config):
        return ()
    domain = CustomDomain(
        name="custom_domain",
        user_pool_id=Ref("user_pool", "user_pool_id"),
        domain=chosen.custom_domain,
        certificate_arn=chosen.custom_domain_certificate,
    )
    # Cognito refuses a domain whose parent has no address.
    item = Item(domain, after=("dns_record",) if creates_parent(config) else ())
    if not zone or not (zone_name == "" or lies_in(chosen.custom_domain, zone_name)):
        return (item,)
    address = Ref("custom_domain", "cloudfront_domain")
    record = AliasRecord(name="custom_domain_record", hosted_zone_id=zone, domain=chosen.custom_domain, address=address)
    return (item, Item(record))


def lies_in(domain: str, zone_name: str) -> bool:
    """Return True if a domain is a zone's own name or below it."""
    domain, zone_name = domain.rstrip(".").lower(), zone_name.rstrip(".").lower()
    return domain == zone_name or domain.endswith(f".{zone_name}")


def declare_client_secrets(id: str) -> tuple[Item, ...]:
    """Declare one secret with the credentials of each app client."""
    return tuple(
        Item(
            ClientSecret(
                name=f"{client}_secret",
                secret_name=f"{id}/{client.replace('_', '-')}",
                client_id=Ref(client, "client_id"),
                client_secret=Ref(client, "client_secret"),
            )
        )
        for client in ("gateway_client", "caller_client")
    )
