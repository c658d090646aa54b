"""The credentials of an app client, kept in AWS Secrets Manager"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from sre_agent_deploy.later import Later, require_known, text
from sre_agent_deploy.resource import CfnResource, Found, Mark, Steps, cfn, tags_of
from sre_agent_deploy.resources.secretsmanager_calls import (
    create_secret,
    describe_secret,
    forget_pending,
    forget_previous,
    put_values,
    read_access,
    read_values,
    restore_access,
    restore_values,
)
from sre_agent_deploy.resources.secretsmanager_secret import InSecretsManager, json_text
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

CLIENT_ID, CLIENT_SECRET = "client_id", "client_secret"


@dataclass(frozen=True, kw_only=True)
class ClientSecret(InSecretsManager):
    """The id and secret by which one program gets tokens; it reads them by their ARN.

    Cognito shows a client's secret until a second one is added. From then on what is stored is right, and stays.
    """

    LISTS_KIND: ClassVar[bool] = False
    # The values are there to be sent again: a second create call with the same token answers the first.
    TOKEN: ClassVar[bool] = True
    EXEMPT: ClassVar[Mapping[str, str]] = {**InSecretsManager.EXEMPT, "client_secret": "neither guide nor template may hold it"}
    PROTECTIONS: ClassVar[Mapping[str, str]] = {
        **InSecretsManager.PROTECTIONS,
        "client_secret": "the client's secret was rotated, and Cognito does not show it again",
    }

    name: str
    secret_name: str
    client_id: Later[str]
    client_secret: Later[Secret]
    policy: str = ""
    kms_key: str = ""
    rotates: bool = False

    def __post_init__(self) -> None:
        # What is known is a Secret from here on, so that neither a plan nor a log shows it.
        if isinstance(self.client_secret, str):
            object.__setattr__(self, "client_secret", Secret(self.client_secret))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = describe_secret(aws, id)
        if found is None:
            return None
        values = read_values(aws, id)
        client_id, secret = values.get(CLIENT_ID, Secret("")), values.get(CLIENT_SECRET, Secret(""))
        seen = cls(name=name, secret_name=found["Name"], client_id=client_id.reveal(), client_secret=secret, **read_access(aws, id, found))
        return Found(id, seen, {"secret_arn": found["ARN"], CLIENT_SECRET: secret}, tags_of(found.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        return create_secret(aws, mark, self.secret_name, "", self._values(self._known_secret()))

    def configure(self, aws: Aws, id: str) -> None:
        restore_access(aws, id)
        kept = restore_values(aws, id)
        wanted = self._values(self._known_secret() or kept.get(CLIENT_SECRET, Secret("")))
        if kept.get(CLIENT_ID) != wanted[CLIENT_ID]:
            # A rotation that has begun is of a client that is gone.
            forget_pending(aws, id)
        if put_values(aws, id, wanted, description=""):
            forget_previous(aws, id)

    def console(self) -> Steps:
        secret = "the one you were given (it is not shown here)" if isinstance(self.client_secret, Secret) else self.client_secret
        return (
            "Secrets Manager > Store a new secret > Other type of secret",
            f"Key/value pairs: key {CLIENT_ID}; value: {self.client_id}",
            f"Key/value pairs: key {CLIENT_SECRET}; value: {secret}",
            f"Secret name: {self.secret_name}",
            "Configure rotation: leave off",
        )

    def template(self) -> CfnResource:
        if isinstance(self.client_secret, Secret):
            note = f"A template must not hold the secret; after creation put it into {self.secret_name} under the key {CLIENT_SECRET}."
            known = text('{"' + CLIENT_ID + '": "{id}"}', id=self.client_id)
            return CfnResource(self.KIND, {"Name": self.secret_name, "SecretString": known}, {"secret_arn": "Ref"}, note=note)
        values = ((CLIENT_ID, self.client_id), (CLIENT_SECRET, self.client_secret))
        return cfn(self.KIND, {"secret_arn": "Ref"}, Name=self.secret_name, SecretString=json_text(values))

    def _values(self, secret: Secret) -> dict[str, Secret]:
        return {CLIENT_ID: Secret(require_known(self.client_id)), CLIENT_SECRET: secret}

    def _known_secret(self) -> Secret:
        if isinstance(self.client_secret, Secret):
            return self.client_secret
        raise TypeError(f"{self.client_secret} is not known yet")
