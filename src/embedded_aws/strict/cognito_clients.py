"""Cognito app clients."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import replacing

_STANDARD_SCOPES = frozenset({"phone", "email", "openid", "profile", "aws.cognito.signin.user.admin"})
_DEFAULTS: dict[str, Any] = {
    "AllowedOAuthFlowsUserPoolClient": False,
    "AuthSessionValidity": 3,
    "EnablePropagateAdditionalUserContextData": False,
    "EnableTokenRevocation": True,
    "RefreshTokenValidity": 30,
}


def oauth_settings_are_checked() -> None:
    """A scope must exist on a resource server of the pool, and client_credentials needs a client with a secret.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
    """
    from moto.cognitoidp.models import CognitoIdpBackend

    @replacing(CognitoIdpBackend, "create_user_pool_client")
    def create_user_pool_client(original: Any, self: Any, user_pool_id: str, generate_secret: bool, extended_config: Any) -> Any:
        _check(self.describe_user_pool(user_pool_id), extended_config, has_secret=generate_secret)
        return original(self, user_pool_id, generate_secret, extended_config)


def update_resets_what_it_omits() -> None:
    """UpdateUserPoolClient sets every setting that it does not name back to its default; moto keeps them.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPoolClient.html
    """
    from moto.cognitoidp.models import CognitoIdpBackend

    @replacing(CognitoIdpBackend, "update_user_pool_client")
    def update_user_pool_client(original: Any, self: Any, user_pool_id: str, client_id: str, extended_config: Any) -> Any:
        client = self.describe_user_pool_client(user_pool_id, client_id)
        _check(self.describe_user_pool(user_pool_id), extended_config, has_secret=client.generate_secret)
        client.extended_config = {**_DEFAULTS, "ClientName": client.extended_config.get("ClientName")}
        return original(self, user_pool_id, client_id, extended_config)


def _check(pool: Any, settings: Any, *, has_secret: bool) -> None:
    from moto.core.exceptions import JsonRESTError

    known = _STANDARD_SCOPES | {
        f"{server.identifier}/{scope['ScopeName']}" for server in pool.resource_servers.values() for scope in server.scopes or ()
    }
    for scope in settings.get("AllowedOAuthScopes") or ():
        if scope not in known:
            raise JsonRESTError("ScopeDoesNotExistException", f"Invalid scope requested: {scope}")
    if "client_credentials" in (settings.get("AllowedOAuthFlows") or ()) and not has_secret:
        message = "client_credentials flow can not be selected if client does not have a client secret."
        raise JsonRESTError("InvalidOAuthFlowException", message)
