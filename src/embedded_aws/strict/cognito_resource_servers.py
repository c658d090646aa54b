"""Cognito resource servers: the two operations that moto lacks."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import put


def complete() -> None:
    """UpdateResourceServer replaces name and scopes; DeleteResourceServer removes them.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateResourceServer.html
    """
    from moto.cognitoidp.responses import CognitoIdpResponse
    from moto.core.responses import ActionResult, EmptyResult

    def update_resource_server(self: Any) -> Any:
        server = self.backend.describe_resource_server(self._get_param("UserPoolId"), self._get_param("Identifier"))
        server.name = self._get_param("Name")
        server.scopes = self._get_param("Scopes") or []
        return ActionResult({"ResourceServer": server.to_json()})

    def delete_resource_server(self: Any) -> Any:
        server = self.backend.describe_resource_server(self._get_param("UserPoolId"), self._get_param("Identifier"))
        del self.backend.describe_user_pool(server.user_pool_id).resource_servers[server.identifier]
        return EmptyResult()

    put(CognitoIdpResponse, "update_resource_server", update_resource_server)
    put(CognitoIdpResponse, "delete_resource_server", delete_resource_server)
