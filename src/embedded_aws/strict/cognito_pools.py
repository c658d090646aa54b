"""Cognito user pools and their domains."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from embedded_aws.strict.replacing import put, replacing

_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = ("aws", "amazon", "cognito")


def own_signing_key() -> None:
    """Each pool signs with a key of its own, made when it is first needed; moto's is in its package, for everyone to sign with.

    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
    """
    from joserfc.jwk import RSAKey
    from moto.cognitoidp import models

    kept: WeakKeyDictionary[Any, RSAKey] = WeakKeyDictionary()

    def key(pool: Any) -> RSAKey:
        if pool not in kept:
            # Two who ask at once get the same: setdefault keeps the first.
            kept.setdefault(pool, RSAKey.generate_key(2048, auto_kid=True))
        return kept[pool]

    # moto reads its key anew for each pool, which takes longer than the rest of the pool's making.
    put(models, "jwk", SimpleNamespace(RSAKey=SimpleNamespace(import_key=lambda _: None)))
    put(models.CognitoIdpUserPool, "json_web_key", property(key, lambda _pool, _motos: None))


def ids_as_long_as_awss() -> None:
    """`us-east-1_` and nine letters or digits for a pool, 26 for an app client; moto's are longer than some programs expect.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html
    """
    from moto.cognitoidp.models import CognitoIdpUserPool, CognitoIdpUserPoolClient

    put(CognitoIdpUserPool, "MAX_ID_LENGTH", property(lambda pool: len(f"{pool.region}_") + 9))
    put(CognitoIdpUserPoolClient, "MAX_ID_LENGTH", 26)


def protected_from_deletion() -> None:
    """A pool with a domain is not deleted, nor one with DeletionProtection ACTIVE.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DeleteUserPool.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @replacing(CognitoIdpBackend, "delete_user_pool")
    def delete_user_pool(original: Any, self: Any, user_pool_id: str) -> None:
        pool = self.describe_user_pool(user_pool_id)
        if pool.extended_config.get("DeletionProtection") == "ACTIVE":
            raise InvalidParameterException(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first."
            )
        if pool.domain:
            raise InvalidParameterException("User pool cannot be deleted. It has a domain configured that should be deleted first.")
        original(self, user_pool_id)


def domains_are_unique() -> None:
    """A domain prefix belongs to one pool of its region, and a pool has one prefix domain.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @replacing(CognitoIdpBackend, "create_user_pool_domain")
    def create_user_pool_domain(original: Any, self: Any, user_pool_id: str, domain: str, custom_domain_config: Any = None) -> Any:
        pool = self.describe_user_pool(user_pool_id)
        if domain in self.user_pool_domains:
            raise InvalidParameterException("Domain already associated with another user pool.")
        prefixes = (each for each in self.user_pool_domains.values() if not each.custom_domain_config)
        if not custom_domain_config and any(each.user_pool_id == pool.id for each in prefixes):
            raise InvalidParameterException("User pool already has a domain configured.")
        return original(self, user_pool_id, domain, custom_domain_config)


def own_domains_are_shown_apart() -> None:
    """A pool has a prefix as its Domain and a domain of its owner's as its CustomDomain; moto shows the first of them as Domain.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html
    """
    from moto.cognitoidp.models import CognitoIdpUserPool

    @replacing(CognitoIdpUserPool, "to_json")
    def to_json(original: Any, self: Any, extended: bool = False) -> Any:
        shown = original(self, extended)
        shown.pop("Domain", None)
        for each in self.backend.user_pool_domains.values():
            if each.user_pool_id == self.id:
                shown["CustomDomain" if each.custom_domain_config else "Domain"] = each.domain
        return shown


def domain_names_are_checked() -> None:
    """A prefix is of lower case letters, digits and hyphens, and holds none of AWS's own names.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @replacing(CognitoIdpBackend, "create_user_pool_domain")
    def create_user_pool_domain(original: Any, self: Any, user_pool_id: str, domain: str, custom_domain_config: Any = None) -> Any:
        if not custom_domain_config and not _PREFIX.fullmatch(domain):
            raise InvalidParameterException(f"1 validation error detected: Value '{domain}' at 'domain' failed to satisfy its pattern")
        if not custom_domain_config and any(word in domain for word in _RESERVED):
            raise InvalidParameterException("Domain cannot contain reserved word: " + " or ".join(_RESERVED))
        return original(self, user_pool_id, domain, custom_domain_config)
