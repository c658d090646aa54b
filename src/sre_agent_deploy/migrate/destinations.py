"""Decide where each setting of the old files belongs now, and what becomes of those without a place (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sre_agent_deploy.backup.conflict import Field
from sre_agent_deploy.config.secret_reference import SecretReference
from sre_agent_deploy.migrate.setting import Setting, walk_texts
from sre_core.redaction import CERTAIN_SECRET, POSSIBLE_SECRET, is_secret_name


@dataclass(frozen=True)
class Moved:
    """A setting that became `field`, with this value."""

    setting: Setting
    field: Field
    value: str


@dataclass(frozen=True)
class SecretFound:
    """A secret, which is never copied. `proposal` is what to write or do instead."""

    setting: Setting
    proposal: str


@dataclass(frozen=True)
class Carried:
    """A setting that has no place in this format and is kept as a comment. `why` gives the reason."""

    setting: Setting
    why: str


type Fate = Moved | SecretFound | Carried

# Names in capitals without the prefix COGNITO_, which some files have and some have not.
PLACES: Mapping[str, Field] = {
    "ACCOUNTID": ("aws", "account_id"),
    "AWSACCOUNTID": ("aws", "account_id"),
    "REGION": ("aws", "region"),
    "AWSREGION": ("aws", "region"),
    "AWSDEFAULTREGION": ("aws", "region"),
    "ROLENAME": ("aws", "role_name"),
    "ENDPOINTURL": ("aws", "endpoint_url"),
    "USERPOOLID": ("credentials", "user_pool_id"),
    "POOLID": ("credentials", "user_pool_id"),
    "CLIENTID": ("credentials", "client_id"),
    "DOMAIN": ("credentials", "cognito_domain"),
    "GATEWAYNAME": ("gateway", "gateway_name"),
    "GATEWAYDESCRIPTION": ("gateway", "description"),
    "S3BUCKET": ("gateway", "s3_bucket"),
    "S3PATHPREFIX": ("gateway", "s3_path_prefix"),
    "PROVIDERARN": ("gateway", "provider_arn"),
    "LLMPROVIDER": ("assistant", "reasoner"),
}
GONE: Mapping[str, str] = {
    "ENDPOINTURL": "it names AWS's own endpoint, which is found from the region now",
    "CREDENTIALPROVIDERENDPOINTURL": "AWS's endpoints are found from the region now",
    "TARGETDESCRIPTION": "each target describes itself by its OpenAPI document now",
    "CREDENTIALPROVIDERNAME": "the deployer names what it creates; an existing one is gateway.provider_arn",
    "AGENTS": "an assistant's tools are those that the gateway lists",
    "GLOBALTOOLS": "an assistant's tools are those that the gateway lists",
    "GATEWAY": "the gateway's address is in the connection file that a deployment writes",
    "DEBUG": "set SRE_LOG=debug in the environment instead",
}
PROPOSALS: Mapping[str, str] = {
    "CLIENTSECRET": "credentials.client_secret: env:COGNITO_CLIENT_SECRET, or aws-secretsmanager:NAME",
    "BACKENDAPIKEY": "nothing: each deployment makes its own key and keeps it in AWS Secrets Manager",
    "ANTHROPICAPIKEY": "assistant.api_key: env:ANTHROPIC_API_KEY, where assistant.reasoner is anthropic",
    "GATEWAYACCESSTOKEN": "nothing: the assistant gets its tokens itself",
}


def decide_fate(setting: Setting) -> Fate:
    """Decide what becomes of one old setting."""
    name = setting.name.upper().replace("_", "").replace("-", "").removeprefix("COGNITO")
    if proposal := _propose_for_secret(setting, name):
        return SecretFound(setting, proposal)
    field = PLACES.get(name)
    if field is None or not isinstance(setting.value, str):
        return Carried(setting, GONE.get(name, "this format has no such setting"))
    if field == ("aws", "endpoint_url") and re.search(r"\.amazonaws\.com(\.cn)?/?$", setting.value):
        return Carried(setting, GONE[name])
    value = setting.value
    if field == ("credentials", "cognito_domain"):
        # The old file has the whole domain; only its prefix is a setting.
        value = value.removeprefix("https://").removesuffix("/").partition(".auth.")[0]
    return Moved(setting, field, value.lower() if field == ("assistant", "reasoner") else value)


def _propose_for_secret(setting: Setting, name: str) -> str:
    """Propose what to do with a secret; empty if it is none."""
    texts = [text for text in walk_texts(setting.value) if text]
    if not texts or all(map(SecretReference.parse, texts)):
        return ""
    named = is_secret_name(setting.name) or name in PROPOSALS
    if not named and not any(CERTAIN_SECRET.search(text) or (name not in PLACES and POSSIBLE_SECRET.search(text)) for text in texts):
        return ""
    if isinstance(setting.value, dict | list) and not named:
        return ""  # one secret within a section: the section is carried over, and that value is hidden in it
    variable = re.sub(r"[^A-Za-z0-9_]", "_", setting.name).upper()
    return PROPOSALS.get(name, f"env:{variable}, or aws-secretsmanager:sre/{setting.name.lower().replace('_', '-')}")
