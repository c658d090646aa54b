"""Amazon Cognito: user pools, domains, app clients, resource servers and tags."""

from __future__ import annotations

import re
import time
from secrets import token_hex
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from embedded_aws.strict.patching import add, patch, replace

_MOST_SECRETS = 2
_SECRET = re.compile(r"[A-Za-z0-9_+]{24,64}")
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = ("aws", "amazon", "cognito")


def create_own_signing_keys() -> None:
    """Create a signing key for each pool when it is first needed; the key of moto is public in its package.

    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
    """
    from joserfc.jwk import RSAKey
    from moto.cognitoidp import models

    kept: WeakKeyDictionary[Any, RSAKey] = WeakKeyDictionary()

    def key(pool: Any) -> RSAKey:
        if pool not in kept:
            kept[pool] = RSAKey.generate_key(2048, auto_kid=True)
        return kept[pool]

    # moto reads its key again for each pool, which takes longer than everything else about a new pool.
    replace(models, "jwk", SimpleNamespace(RSAKey=SimpleNamespace(import_key=lambda _: None)))
    add(models.CognitoIdpUserPool, "json_web_key", property(key, lambda _pool, _motos: None))


def shorten_ids() -> None:
    """Use nine characters after `us-east-1_` for a pool and 26 for an app client; the ids of moto are longer than some programs expect.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html
    """
    from moto.cognitoidp.models import CognitoIdpUserPool, CognitoIdpUserPoolClient

    replace(CognitoIdpUserPool, "MAX_ID_LENGTH", property(lambda pool: len(f"{pool.region}_") + 9))
    replace(CognitoIdpUserPoolClient, "MAX_ID_LENGTH", 26)


def protect_pools_from_deletion() -> None:
    """Refuse to delete a pool with a domain, or with DeletionProtection ACTIVE.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DeleteUserPool.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "delete_user_pool")
    def delete_user_pool(original: Any, self: Any, user_pool_id: str) -> None:
        pool = self.describe_user_pool(user_pool_id)
        if pool.extended_config.get("DeletionProtection") == "ACTIVE":
            raise InvalidParameterException(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first."
            )
        if pool.domain:
            raise InvalidParameterException("User pool cannot be deleted. It has a domain configured that should be deleted first.")
        original(self, user_pool_id)


def require_unique_domains() -> None:
    """Allow a domain prefix for one pool of its region only, and one prefix domain for a pool.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "create_user_pool_domain")
    def create_user_pool_domain(original: Any, self: Any, user_pool_id: str, domain: str, custom_domain_config: Any = None) -> Any:
        pool = self.describe_user_pool(user_pool_id)
        if domain in self.user_pool_domains:
            raise InvalidParameterException("Domain already associated with another user pool.")
        prefixes = (each for each in self.user_pool_domains.values() if not each.custom_domain_config)
        if not custom_domain_config and any(each.user_pool_id == pool.id for each in prefixes):
            raise InvalidParameterException("User pool already has a domain configured.")
        return original(self, user_pool_id, domain, custom_domain_config)


def refuse_absent_parts() -> None:
    """Refuse to delete a domain that the pool does not have, and to list the resource servers of an absent pool.

    moto answers in other ways.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DeleteUserPoolDomain.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend
    from moto.cognitoidp.responses import CognitoIdpResponse

    @patch(CognitoIdpResponse, "delete_user_pool_domain")
    def delete_user_pool_domain(original: Any, self: Any) -> Any:
        domain = self.backend.user_pool_domains.get(self._get_param("Domain"))
        if not domain or domain.user_pool_id != self._get_param("UserPoolId"):
            raise InvalidParameterException("No such domain or user pool exists.")
        return original(self)

    @patch(CognitoIdpBackend, "list_resource_servers")
    def list_resource_servers(original: Any, self: Any, user_pool_id: str, **page: Any) -> Any:
        self.describe_user_pool(user_pool_id)
        return original(self, user_pool_id=user_pool_id, **page)


def show_custom_domains() -> None:
    """Show the prefix as Domain and the domain of the owner as CustomDomain; moto shows the first of them as Domain.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html
    """
    from moto.cognitoidp.models import CognitoIdpUserPool

    @patch(CognitoIdpUserPool, "to_json")
    def to_json(original: Any, self: Any, extended: bool = False) -> Any:
        shown = original(self, extended)
        shown.pop("Domain", None)
        for each in self.backend.user_pool_domains.values():
            if each.user_pool_id == self.id:
                shown["CustomDomain" if each.custom_domain_config else "Domain"] = each.domain
        return shown


def validate_domain_names() -> None:
    """Require a prefix of lower case letters, digits and hyphens, without the reserved names of AWS.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "create_user_pool_domain")
    def create_user_pool_domain(original: Any, self: Any, user_pool_id: str, domain: str, custom_domain_config: Any = None) -> Any:
        if not custom_domain_config and not _PREFIX.fullmatch(domain):
            raise InvalidParameterException(f"1 validation error detected: Value '{domain}' at 'domain' failed to satisfy its pattern")
        if not custom_domain_config and any(word in domain for word in _RESERVED):
            raise InvalidParameterException("Domain cannot contain reserved word: " + " or ".join(_RESERVED))
        return original(self, user_pool_id, domain, custom_domain_config)


def validate_pool_settings() -> None:
    """Refuse password policies outside the limits of Cognito, and a method of MFA beside OFF.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_PasswordPolicyType.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "create_user_pool")
    def create_user_pool(original: Any, self: Any, name: str, extended_config: Any) -> Any:
        _validate_password_policy(extended_config)
        return original(self, name, extended_config)

    @patch(CognitoIdpBackend, "update_user_pool")
    def update_user_pool(original: Any, self: Any, user_pool_id: str, extended_config: Any) -> None:
        _validate_password_policy(extended_config)
        original(self, user_pool_id, extended_config)

    @patch(CognitoIdpBackend, "set_user_pool_mfa_config")
    def set_user_pool_mfa_config(original: Any, self: Any, user_pool_id: str, *config: Any) -> Any:
        by_text, by_app, mode = config
        if mode == "OFF" and (by_text or (by_app or {}).get("Enabled")):
            raise InvalidParameterException("Invalid MFA configuration given, can't turn off MFA and configure an MFA together.")
        return original(self, user_pool_id, *config)


def validate_user_attributes() -> None:
    """Refuse attributes that the pool's schema lacks, and `sub`, which Cognito chooses; moto takes any.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUser.html
    """
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "admin_create_user")
    def admin_create_user(original: Any, self: Any, user_pool_id: str, *given: Any) -> Any:
        _validate_attributes(self.describe_user_pool(user_pool_id), given[-1] or ())
        return original(self, user_pool_id, *given)

    @patch(CognitoIdpBackend, "admin_update_user_attributes")
    def admin_update_user_attributes(original: Any, self: Any, user_pool_id: str, username: str, attributes: Any) -> Any:
        _validate_attributes(self.describe_user_pool(user_pool_id), attributes)
        return original(self, user_pool_id, username, attributes)


def _validate_attributes(pool: Any, attributes: Any) -> None:
    from moto.cognitoidp.exceptions import InvalidParameterException

    for name in (each["Name"] for each in attributes):
        if name == "sub":
            raise InvalidParameterException("Cannot modify the non-mutable attribute sub")
        if name not in pool.schema_attributes:
            raise InvalidParameterException(f"Attributes did not conform to the schema: {name}: Attribute does not exist in the schema.\n")


_PASSWORD_LIMITS = {"MinimumLength": (6, 99), "TemporaryPasswordValidityDays": (0, 365), "PasswordHistorySize": (0, 24)}


def _validate_password_policy(settings: Any) -> None:
    from moto.cognitoidp.exceptions import InvalidParameterException

    policy = (settings.get("Policies") or {}).get("PasswordPolicy") or {}
    for field, (least, most) in _PASSWORD_LIMITS.items():
        if not least <= int(policy.get(field, least)) <= most:
            where, bound = f"policies.passwordPolicy.{field[0].lower()}{field[1:]}", f"between {least} and {most}"
            raise InvalidParameterException(
                f"1 validation error detected: Value '{policy[field]}' at '{where}' failed to satisfy constraint: Member must be {bound}"
            )


_STANDARD_SCOPES = frozenset({"phone", "email", "openid", "profile", "aws.cognito.signin.user.admin"})
_CLIENT_DEFAULTS: dict[str, Any] = {
    "AllowedOAuthFlowsUserPoolClient": False,
    "AuthSessionValidity": 3,
    "EnablePropagateAdditionalUserContextData": False,
    "EnableTokenRevocation": True,
    "RefreshTokenValidity": 30,
}


def validate_oauth_settings() -> None:
    """Require that each scope exists on a resource server of the pool, and that client_credentials has a client with a secret.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html
    """
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "create_user_pool_client")
    def create_user_pool_client(original: Any, self: Any, user_pool_id: str, generate_secret: bool, extended_config: Any) -> Any:
        _validate_oauth(self.describe_user_pool(user_pool_id), extended_config, has_secret=generate_secret)
        return original(self, user_pool_id, generate_secret, extended_config)


def reset_omitted_client_settings() -> None:
    """Reset every setting that UpdateUserPoolClient omits to its default; moto keeps them.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPoolClient.html
    """
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "update_user_pool_client")
    def update_user_pool_client(original: Any, self: Any, user_pool_id: str, client_id: str, extended_config: Any) -> Any:
        client = self.describe_user_pool_client(user_pool_id, client_id)
        _validate_oauth(self.describe_user_pool(user_pool_id), extended_config, has_secret=client.generate_secret)
        client.extended_config = {**_CLIENT_DEFAULTS, "ClientName": client.extended_config.get("ClientName")}
        return original(self, user_pool_id, client_id, extended_config)


def complete_pool_updates() -> None:
    """Let UpdateUserPool rename a pool, and remove its triggers by an empty LambdaConfig; moto does neither.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
    """
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "update_user_pool")
    def update_user_pool(original: Any, self: Any, user_pool_id: str, extended_config: Any) -> None:
        original(self, user_pool_id, extended_config)
        pool = self.describe_user_pool(user_pool_id)
        pool.name = extended_config.get("PoolName", pool.name)
        if not pool.extended_config.get("LambdaConfig", True):
            del pool.extended_config["LambdaConfig"]


def _validate_oauth(pool: Any, settings: Any, *, has_secret: bool) -> None:
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


def add_resource_server_operations() -> None:
    """Add UpdateResourceServer, which replaces name and scopes, and DeleteResourceServer.

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

    add(CognitoIdpResponse, "update_resource_server", update_resource_server)
    add(CognitoIdpResponse, "delete_resource_server", delete_resource_server)


def add_pool_tag_operations() -> None:
    """Add TagResource, UntagResource and ListTagsForResource, which moto lacks; DescribeUserPool shows the same tags.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_TagResource.html
    """
    from moto.cognitoidp.responses import CognitoIdpResponse
    from moto.core.responses import ActionResult, EmptyResult

    def tag_resource(self: Any) -> Any:
        _pool_tags(self).update(self._get_param("Tags"))
        return EmptyResult()

    def untag_resource(self: Any) -> Any:
        for key in self._get_param("TagKeys"):
            _pool_tags(self).pop(key, None)
        return EmptyResult()

    def list_tags_for_resource(self: Any) -> Any:
        return ActionResult({"Tags": _pool_tags(self)})

    for operation in (tag_resource, untag_resource, list_tags_for_resource):
        add(CognitoIdpResponse, operation.__name__, operation)


def _pool_tags(response: Any) -> dict[str, str]:
    pool = response.backend.describe_user_pool(response._get_param("ResourceArn").rpartition("/")[2])
    tags: dict[str, str] = pool.extended_config.setdefault("UserPoolTags", {})
    return tags


def add_client_secret_operations() -> None:
    """Add AddUserPoolClientSecret, ListUserPoolClientSecrets and DeleteUserPoolClientSecret, which moto lacks.

    A client has two secrets at most. Once one was added, DescribeUserPoolClient shows none: no secret is promoted.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AddUserPoolClientSecret.html
    """
    from moto.cognitoidp.models import CognitoIdpUserPoolClient
    from moto.cognitoidp.responses import CognitoIdpResponse

    @patch(CognitoIdpUserPoolClient, "to_json")
    def to_json(original: Any, self: Any, extended: bool = False) -> Any:
        shown = original(self, extended)
        if getattr(self, "rotated", False):
            shown.pop("ClientSecret", None)
        return shown

    for operation in (add_user_pool_client_secret, list_user_pool_client_secrets, delete_user_pool_client_secret):
        add(CognitoIdpResponse, operation.__name__, operation)


def add_user_pool_client_secret(self: Any) -> Any:
    """Add a secret: the caller's, which is not shown again, or a generated one."""
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.core.exceptions import JsonRESTError
    from moto.core.responses import ActionResult

    client, given = _client_of(self), self._get_param("ClientSecret")
    kept = client_secrets(client)
    if not kept:
        raise InvalidParameterException("The client has no secret, so none can be added.")
    if given is not None and not _SECRET.fullmatch(given):
        raise InvalidParameterException("1 validation error detected: Value at 'clientSecret' failed to satisfy its pattern")
    if len(kept) >= _MOST_SECRETS:
        raise JsonRESTError("LimitExceededException", "The client has two secrets already.")
    value = given or token_hex(24)
    # The seconds are in the id, so two of one second would have the same.
    added = (f"{client.id}--{max(int(time.time()), _second_of(kept[-1][0]) + 1)}", time.time(), value)
    client.rotated, client.kept_secrets = True, [*kept, added]
    shown = {"ClientSecretId": added[0], "ClientSecretCreateDate": added[1]}
    return ActionResult({"ClientSecretDescriptor": shown if given else {**shown, "ClientSecretValue": value}})


def list_user_pool_client_secrets(self: Any) -> Any:
    """List the secrets without their values."""
    from moto.core.responses import ActionResult

    kept = client_secrets(_client_of(self))
    return ActionResult({"ClientSecrets": [{"ClientSecretId": id, "ClientSecretCreateDate": created} for id, created, _ in kept]})


def delete_user_pool_client_secret(self: Any) -> Any:
    """Delete a secret, unless it is the last one."""
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.core.exceptions import JsonRESTError
    from moto.core.responses import EmptyResult

    client, id = _client_of(self), self._get_param("ClientSecretId")
    kept = client_secrets(client)
    if id not in (each for each, _, _ in kept):
        raise JsonRESTError("ResourceNotFoundException", f"Client secret {id} does not exist.")
    if len(kept) == 1:
        raise InvalidParameterException("The last secret of a client can't be deleted.")
    client.kept_secrets = [each for each in kept if each[0] != id]
    return EmptyResult()


def client_secrets(client: Any) -> list[tuple[str, float, str]]:
    """Return id, time and value of each secret of a client, the oldest first."""
    if not client.generate_secret:
        return []
    if not hasattr(client, "kept_secrets"):
        now = time.time()
        client.kept_secrets = [(f"{client.id}--{int(now)}", now, client.secret)]
    return list(client.kept_secrets)


def _client_of(response: Any) -> Any:
    return response.backend.describe_user_pool_client(response._get_param("UserPoolId"), response._get_param("ClientId"))


def _second_of(id: str) -> int:
    return int(id.rpartition("--")[2])
