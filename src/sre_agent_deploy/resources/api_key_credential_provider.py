"""AWS::BedrockAgentCore::ApiKeyCredentialProvider"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import Later, require_known
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, cfn
from sre_agent_deploy.resources.secretsmanager_secret import GeneratedSecret
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

# Under which AgentCore keeps the key of a MANAGED provider; its answer says so where it can.
MANAGED_JSON_KEY = "api_key_value"


@dataclass(frozen=True, kw_only=True)
class ApiKeyCredentialProvider(Defaults):
    """Hands the backends' API key to the gateway. The key itself stays in our own Secrets Manager secret (EXTERNAL)."""

    KIND: ClassVar[str] = "AWS::BedrockAgentCore::ApiKeyCredentialProvider"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"provider_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"provider_name"})
    MOST_TAGS: ClassVar[int] = 50
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({GeneratedSecret.KIND})

    name: str
    provider_name: str
    secret_arn: Later[str]
    json_key: str

    def natural_id(self, aws: Aws) -> str:
        return self.provider_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # A listing shows no tags; our names begin with the deployment id, so only those few are asked for theirs.
        providers = [provider for provider in _list_providers(aws) if provider["name"].startswith(deployment)]
        tagged = [(provider, _read_tags(aws, provider["credentialProviderArn"])) for provider in providers]
        ours = [(provider, tags) for provider, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment]
        return tuple(Owned.tagged(provider["name"], tags, provider["createdTime"]) for provider, tags in ours)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return (provider["name"].removesuffix("-backends") for provider in _list_providers(aws))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        provider = or_none(
            lambda: aws.client("bedrock-agentcore-control").get_api_key_credential_provider(name=id), ("ResourceNotFoundException",)
        )
        if provider is None:
            return None
        # A MANAGED provider keeps a copy of the key in a secret of its own: never the one wanted.
        external = provider.get("apiKeySecretSource") == "EXTERNAL"
        seen = cls(
            name=name,
            provider_name=id,
            secret_arn=provider["apiKeySecretArn"]["secretArn"] if external else "",
            json_key=provider.get("apiKeySecretJsonKey", ""),
        )
        arn = provider["credentialProviderArn"]
        key = {"secret_arn": provider["apiKeySecretArn"]["secretArn"], "json_key": provider.get("apiKeySecretJsonKey", MANAGED_JSON_KEY)}
        return Found(id, seen, {"provider_arn": arn, "provider_name": id, **key}, _read_tags(aws, arn))

    def create(self, aws: Aws, mark: Mark) -> str:
        return aws.client("bedrock-agentcore-control").create_api_key_credential_provider(tags=mark.tags(), **self._settings())["name"]

    def configure(self, aws: Aws, id: str) -> None:
        found = self.read(aws, id, self.name)
        if found is None or found.seen != self:
            aws.client("bedrock-agentcore-control").update_api_key_credential_provider(**self._settings())

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = aws.client("bedrock-agentcore-control").get_api_key_credential_provider(name=id)["credentialProviderArn"]
        if changes.set:
            aws.client("bedrock-agentcore-control").tag_resource(resourceArn=arn, tags=changes.set)
        if changes.remove:
            aws.client("bedrock-agentcore-control").untag_resource(resourceArn=arn, tagKeys=changes.remove)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("bedrock-agentcore-control").delete_api_key_credential_provider(name=id), ("ResourceNotFoundException",))

    def console(self) -> Steps:
        return (
            "Amazon Bedrock AgentCore > Identity > Outbound Auth > Add OAuth client / API key > Add API key",
            f"Name: {self.provider_name}",
            "API key source: Use an existing secret in AWS Secrets Manager",
            f"Secret: {self.secret_arn}",
            f"JSON key: {self.json_key}",
            "Add",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"provider_arn": "CredentialProviderArn"},
            Name=self.provider_name,
            ApiKeySecretSource="EXTERNAL",
            ApiKeySecretConfig={"SecretId": self.secret_arn, "JsonKey": self.json_key},
        )

    def _settings(self) -> dict[str, Any]:
        secret = {"secretId": require_known(self.secret_arn), "jsonKey": self.json_key}
        return {"name": self.provider_name, "apiKeySecretSource": "EXTERNAL", "apiKeySecretConfig": secret}

    def _secret_missing(self) -> Problem:
        return Problem(
            code="AGENTCORE-PROVIDER-SECRET",
            what=f"Credential provider {self.provider_name} has no API key.",
            why=f"Secrets Manager has no secret {self.secret_arn} in this region, or the secret has no JSON key {self.json_key!r}.",
            do=(
                f"Run `aws secretsmanager describe-secret --secret-id {self.secret_arn}`; restore it if it is scheduled for deletion.",
                "Run the same command again.",
            ),
        )

    def _too_many(self) -> Problem:
        return Problem(
            code="AGENTCORE-PROVIDER-QUOTA",
            what=f"Credential provider {self.provider_name} was not created.",
            why="This account has as many credential providers as its quota allows (50, unless raised).",
            do=(
                "List them with `aws bedrock-agentcore-control list-api-key-credential-providers` and delete the unused ones.",
                "Or ask for more under Service Quotas > Amazon Bedrock AgentCore.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html",
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateApiKeyCredentialProvider", "ConflictException"): lambda provider: Problem(
            code="AGENTCORE-PROVIDER-EXISTS",
            what=f"Credential provider {provider.provider_name} was not created.",
            why="One of this name exists in this account and region; other tools often leave them behind.",
            do=(
                f"To use it, name it in the configuration; to delete it, run `aws bedrock-agentcore-control "
                f"delete-api-key-credential-provider --name {provider.provider_name}`.",
                "Run the same command again.",
            ),
        ),
        ("CreateApiKeyCredentialProvider", "ResourceNotFoundException"): _secret_missing,
        ("UpdateApiKeyCredentialProvider", "ResourceNotFoundException"): _secret_missing,
        ("CreateApiKeyCredentialProvider", "ValidationException"): _secret_missing,
        ("UpdateApiKeyCredentialProvider", "ValidationException"): _secret_missing,
        ("CreateApiKeyCredentialProvider", "ServiceQuotaExceededException"): _too_many,
        ("CreateApiKeyCredentialProvider", "ResourceLimitExceededException"): _too_many,
    } | {
        (operation, code): lambda provider: Problem(
            code="AGENTCORE-PROVIDER-KMS",
            what=f"Credential provider {provider.provider_name} can't use its secret's encryption key.",
            why="The secret is encrypted with a KMS key that the identity you deploy with may not use.",
            do=(
                f"Allow kms:Decrypt on the key of {provider.secret_arn} to that identity, or use the key aws/secretsmanager.",
                "Run the same command again.",
            ),
        )
        for operation in ("CreateApiKeyCredentialProvider", "UpdateApiKeyCredentialProvider")
        for code in ("DecryptionFailure", "EncryptionFailure")
    }


def _list_providers(aws: Aws) -> list[Any]:
    pages = aws.client("bedrock-agentcore-control").get_paginator("list_api_key_credential_providers").paginate()
    return [provider for page in pages for provider in page["credentialProviders"]]


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    answer = or_none(
        lambda: aws.client("bedrock-agentcore-control").list_tags_for_resource(resourceArn=arn), ("ResourceNotFoundException",)
    )
    return dict(answer.get("tags", {})) if answer else {}


def read_key_again(aws: Aws, name: str) -> None:
    """Give a provider the reference that it has: AgentCore then reads the secret again."""
    seen = aws.client("bedrock-agentcore-control").get_api_key_credential_provider(name=name)
    reference = {"secretId": seen["apiKeySecretArn"]["secretArn"], "jsonKey": seen["apiKeySecretJsonKey"]}
    settings: Any = {"apiKeySecretSource": "EXTERNAL", "apiKeySecretConfig": reference}
    aws.client("bedrock-agentcore-control").update_api_key_credential_provider(name=name, **settings)
