"""Generate values for the fields of roles, logins, secrets and AgentCore, within AWS's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from sre_core.secret import Secret

from .any_network import runtime_networks
from .any_values import CAPITALS, CONDITIONS, DIGITS, LETTERS, NAMES, STATEMENTS, WORDS, Choices, named, some
from .parents import DISCOVERY, Parents

IAM_NAMES = NAMES + "+=,.@-_"
# Printable ASCII without quotation mark and backslash.
SCOPES = "".join(chr(code) for code in (0x21, *range(0x23, 0x2F), *range(0x30, 0x5C), *range(0x5D, 0x7F)))
HOSTS = st.one_of(
    st.builds("{}.example.com".format, st.text(LETTERS, min_size=1, max_size=20)),
    st.ip_addresses(v=4).map(str),
)
SECRETS = st.text(NAMES + "'\"\\/+=äß ", min_size=1, max_size=60).map(Secret)


def paths(parents: Parents) -> Any:
    start = f"/sre-agent/{parents.deployment}/"
    return st.one_of(st.just(start), st.builds("{}{}/".format, st.just(start), st.text(IAM_NAMES, min_size=1, max_size=40)))


def callers() -> Choices:
    return {
        "discovery_url": st.sampled_from((DISCOVERY, "https://login.example.com/.well-known/openid-configuration")),
        "allowed_clients": some(st.text(NAMES, min_size=1, max_size=26), 1),
        "allowed_scopes": some(("sre/gateway.invoke", "sre/assistant.invoke", "openid")),
    }


def gateway(parents: Parents) -> Choices:
    return {**callers(), "gateway_name": named(parents, NAMES, 48), "authorizer": st.just("CUSTOM_JWT")}


def target(parents: Parents) -> Choices:
    return {
        "target_name": st.text(NAMES, min_size=1, max_size=100),
        "header": st.sampled_from(("X-API-Key", "X-Other-Key", "Authorization")),
        "ca_uri": st.sampled_from((*parents.named["ca_uri"], "")),
        "passed_headers": some(("X-Request-Id", "X-Team", "Traceparent")),
    }


def runtime(parents: Parents) -> Choices:
    return {
        **callers(),
        "runtime_name": named(parents, NAMES, 48).map(lambda name: name.replace("-", "_")),
        "environment": st.dictionaries(st.text(CAPITALS + "_", min_size=1, max_size=100), WORDS, max_size=5).map(
            lambda each: tuple(each.items())
        ),
        "headers": some(("Authorization", "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Team"), 1),
        "entry_point": st.sampled_from((("main.py",), ("serve.py",))),
        "python": st.sampled_from(("PYTHON_3_10", "PYTHON_3_11", "PYTHON_3_12", "PYTHON_3_13", "PYTHON_3_14")),
        "server_protocol": st.sampled_from(("HTTP", "MCP", "A2A", "AGUI")),
        "network": runtime_networks(parents),
    }


def endpoint(parents: Parents) -> Choices:
    return {"endpoint_name": st.builds("{}{}".format, st.sampled_from(NAMES[:52]), st.text(NAMES + "_", max_size=47))}


def provider(parents: Parents) -> Choices:
    return {"provider_name": named(parents, NAMES + "-", 128), "json_key": st.sampled_from(("api_key", "other"))}


def secret_names(parents: Parents) -> Any:
    return st.builds("{}/{}".format, st.just(parents.deployment), st.text(NAMES + "/_+=.@", min_size=1, max_size=200))


def certificate(parents: Parents) -> Choices:
    return {"secret_name": secret_names(parents), "source": st.just(parents.authority), "hosts": some(HOSTS, 1, 4), **_FOLLOWING}


# They follow from the source.
_FOLLOWING: Mapping[str, Any] = {"issued_by": st.just(""), "fresh": st.just(True)}


def client_secret(parents: Parents) -> Choices:
    return {
        "secret_name": secret_names(parents),
        "client_id": st.text(LETTERS + DIGITS, min_size=1, max_size=26),
        "client_secret": SECRETS,
    }


def generated_secret(parents: Parents) -> Choices:
    return {
        "secret_name": secret_names(parents),
        "json_key": WORDS,
        "ttl": st.sampled_from(("", "2027-01-01T00:00:00Z")),
        "state_location": st.sampled_from(("", "s3://team-state/sre/state.json")),
    }


def stored_secret(parents: Parents) -> Choices:
    values = st.dictionaries(WORDS, SECRETS, min_size=1, max_size=5).map(lambda each: tuple(each.items()))
    return {"secret_name": secret_names(parents), "values": values}


def user_pool(parents: Parents) -> Choices:
    kinds = ("Lowercase", "Numbers", "Symbols", "Uppercase")
    return {
        "pool_name": named(parents, NAMES + " _+=,.@-", 128),
        "mfa": st.sampled_from(("OFF", "ON", "OPTIONAL")),
        "password_length": st.integers(6, 99),
        "password_kinds": st.sets(st.sampled_from(kinds)).map(lambda chosen: tuple(kind for kind in kinds if kind in chosen)),
        "temporary_days": st.integers(1, 365),
        "recovery": st.one_of(some(("verified_email", "verified_phone_number"), 1), st.just(("admin_only",))),
    }


def app_client(parents: Parents) -> Choices:
    return {
        "client_name": named(parents, NAMES + " _+=,.@-", 128),
        "scopes": some(parents.named["scopes"], 1),
        "token_minutes": st.integers(5, 1440),
        "flows": st.just(("client_credentials",)),
        "auth_flows": some(("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_PASSWORD_AUTH"), 1),
        "user_existence_errors": st.sampled_from(("ENABLED", "LEGACY")),
    }


def pool_domain(parents: Parents) -> Choices:
    return {"domain": named(parents, LETTERS + DIGITS + "-", 63, last=LETTERS + DIGITS).filter(_is_free_of_marks)}


def _is_free_of_marks(domain: str) -> bool:
    return not any(word in domain for word in ("aws", "amazon", "cognito"))


def custom_domain(parents: Parents) -> Choices:
    [zone] = parents.named["zone"]
    return {"domain": st.builds("{}.{}".format, st.text(LETTERS + DIGITS, min_size=1, max_size=38), st.just(zone))}


def resource_server(parents: Parents) -> Choices:
    scopes = st.dictionaries(st.text(SCOPES, min_size=1, max_size=256), WORDS, min_size=1, max_size=5)
    return {"identifier": named(parents, SCOPES, 256), "scopes": scopes.map(lambda each: tuple(each.items()))}


def access_entry(parents: Parents) -> Choices:
    return {"kubernetes_groups": some(st.text(NAMES + "-_.", min_size=1, max_size=60).map("team-{}".format)), "type": st.just("STANDARD")}


def instance_profile(parents: Parents) -> Choices:
    return {"profile_name": named(parents, IAM_NAMES, 128), "path": paths(parents)}


def role(parents: Parents) -> Choices:
    managed = ("AmazonSSMManagedInstanceCore", "ReadOnlyAccess", "CloudWatchAgentServerPolicy")
    arns = [f"arn:aws:iam::aws:policy/{name}" for name in managed]
    return {
        "role_name": named(parents, IAM_NAMES, 64),
        "path": paths(parents),
        "service": st.sampled_from(("ec2.amazonaws.com", "bedrock-agentcore.amazonaws.com", "lambda.amazonaws.com")),
        "trust_conditions": CONDITIONS,
        "statements": STATEMENTS,
        "managed_policies": some(arns),
        "session_seconds": st.integers(3600, 43200),
        "permissions_boundary": st.sampled_from(("", arns[1])),
        "description": st.one_of(st.just(""), WORDS),
    }
