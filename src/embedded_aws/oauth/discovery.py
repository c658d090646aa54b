"""The two public documents of a user pool: where its endpoints are, and the keys its tokens are signed with."""

from __future__ import annotations

from embedded_aws.oauth.pools import Pool

DOMAINS_PATH = "/oauth2-domains/"


def issuer(endpoint: str, pool: Pool) -> str:
    """As on AWS: the cognito-idp endpoint and the pool's id."""
    return f"{endpoint}/{pool.pool_id}"


def openid_configuration(endpoint: str, pool: Pool) -> dict[str, object]:
    """`/.well-known/openid-configuration`; the OAuth endpoints exist only once the pool has a domain."""
    document: dict[str, object] = {
        "issuer": issuer(endpoint, pool),
        "jwks_uri": f"{issuer(endpoint, pool)}/.well-known/jwks.json",
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    if pool.domain:
        document["token_endpoint"] = f"{endpoint}{DOMAINS_PATH}{pool.domain}/oauth2/token"
    return document


def jwks(pool: Pool) -> dict[str, object]:
    """`/.well-known/jwks.json`: the public half of the pool's key."""
    return {"keys": [{**pool.key.as_dict(private=False), "alg": "RS256", "use": "sig", "kid": pool.key.kid}]}
