"""The data plane of AgentCore Identity: an agent exchanges its identity for a token, and that for keys and tokens of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from embedded_aws.agentcore.errors import ApiError, Violation, invalid, not_found, unsupported_error
from embedded_aws.agentcore.identity_records import ApiKeyProvider, Oauth2Provider
from embedded_aws.agentcore.jwt_authorizer import Denied, TokenChecker
from embedded_aws.agentcore.oauth2_tokens import Oauth2Tokens, TokenDenied
from embedded_aws.agentcore.provider_secrets import key_in
from embedded_aws.agentcore.records import Registry
from embedded_aws.agentcore.workload_identities import WorkloadIdentities
from embedded_aws.agentcore.workload_tokens import WorkloadTokens, decode_object
from embedded_aws.authorization.authorize import find_key_denial
from embedded_aws.credentials import AccessKey
from embedded_aws.world import World

type Request = Mapping[str, Any]
type Answer = dict[str, Any]


class WorkloadAccess:
    """The operations of agents; `sender` signed the request, and needs to be allowed to read the secret as well."""

    def __init__(
        self,
        world: World,
        registry: Registry,
        *,
        identities: WorkloadIdentities,
        workload_tokens: WorkloadTokens,
        tokens: Oauth2Tokens,
        checker_of: Callable[[str], TokenChecker],
    ) -> None:
        self._world = world
        self._registry = registry
        self._identities = identities
        self._tokens = tokens
        self._checker_of = checker_of
        self._workload_tokens = workload_tokens

    async def token(self, request: Request, sender: AccessKey) -> Answer:
        """Perform GetWorkloadAccessToken."""
        return self._issue(request, "")

    async def token_for_jwt(self, request: Request, sender: AccessKey) -> Answer:
        """Perform GetWorkloadAccessTokenForJWT: the user's token must be valid, and of an issuer that can be reached."""
        issuer = str(decode_object(request["userToken"].partition(".")[2].partition(".")[0]).get("iss", ""))
        claims = await self._checker_of(f"{issuer}/.well-known/openid-configuration").read(request["userToken"])
        if isinstance(claims, Denied):
            raise invalid(f"The user token was not accepted: {claims.reason}", Violation("userToken", claims.reason))
        return self._issue(request, f"{issuer}#{claims.get('sub', '')}")

    async def token_for_user_id(self, request: Request, sender: AccessKey) -> Answer:
        """Perform GetWorkloadAccessTokenForUserId."""
        return self._issue(request, request["userId"])

    async def api_key(self, request: Request, sender: AccessKey) -> Answer:
        """Perform GetResourceApiKey."""
        self._verify(request["workloadIdentityToken"])
        provider = self._registry.providers.get(request["resourceCredentialProviderName"])
        if provider is None:
            raise not_found(f"Credential provider not found: {request['resourceCredentialProviderName']}")
        _refuse_unallowed(sender, provider)
        text = self._world.secret(provider.secret.arn)
        key = key_in(text, provider.secret.json_key) if text is not None else None
        if key is None:
            raise not_found(f"The secret {provider.secret.arn} has no text under the key {provider.secret.json_key}.")
        return {"apiKey": key}

    async def oauth2_token(self, request: Request, sender: AccessKey) -> Answer:
        """Perform GetResourceOauth2Token: fetch a token by the client credentials grant."""
        self._verify(request["workloadIdentityToken"])
        provider = self._registry.oauth2_providers.get(request["resourceCredentialProviderName"])
        if provider is None:
            raise not_found(f"Credential provider not found: {request['resourceCredentialProviderName']}")
        if request["oauth2Flow"] != "M2M":
            raise unsupported_error(f"oauth2Flow {request['oauth2Flow']}", "Use M2M.")
        for member in ("resources", "audiences"):
            if request.get(member):
                raise unsupported_error(member)
        _refuse_unallowed(sender, provider)
        again = bool(request.get("forceAuthentication"))
        found = await self._tokens.token(provider, request["scopes"], request.get("customParameters", {}), again=again)
        if isinstance(found, TokenDenied):
            raise invalid(found.why)
        return {"accessToken": found.reveal()}

    def _issue(self, request: Request, user: str) -> Answer:
        identity = self._identities.existing(request["workloadName"])
        if identity.linked:
            raise invalid("WorkloadIdentity is linked to a service and cannot retrieve an access token by the caller")
        return {"workloadAccessToken": self._workload_tokens.issue(identity.name, user).reveal()}

    def _verify(self, token: str) -> None:
        if self._workload_tokens.verify(token) not in self._registry.identities:
            raise ApiError("UnauthorizedException", 401, "The workload identity token is invalid or has expired.")


def _refuse_unallowed(sender: AccessKey, provider: ApiKeyProvider | Oauth2Provider) -> None:
    if denial := find_key_denial(sender, "secretsmanager:GetSecretValue", provider.secret.arn):
        raise ApiError("AccessDeniedException", 403, denial.message)
