"""A value that may be a secret is never shown."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sre_agent_deploy.config import Mark
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.position import render_excerpt
from sre_core.redaction import redact_line

words = st.text(alphabet="abcdefghijkmnopqrstuvwxyz0123456789_-", min_size=6, max_size=40)


@given(key=st.sampled_from(["password", "client_secret", "API-KEY", "token", "aws_secret_access_key", "private_key"]), secret=words)
@example(key="aws_secret_access_key", secret="id0000")  # not the ID of an access key
def test_values_of_keys_that_hold_secrets(key: str, secret: str) -> None:
    """Written as YAML, JSON, shell or in braces, the value is hidden and the key stays."""
    for line in (f"{key}: {secret}Q", f'"{key}": "{secret}Q"', f"{key}={secret}Q", f"{{ {key}: {secret}Q, region: x}}"):
        assert f"{secret}Q" not in redact_line(line)
        assert key in redact_line(line)


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
        "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "1h57kf5cpq17m0eml1234567890abcdefghijklmnopqrstuvwx",
    ],
)
def test_secrets_in_the_wrong_place(secret: str) -> None:
    """A value with a secret's shape is hidden in any field."""
    assert secret not in redact_line(f"  region: {secret}")


@pytest.mark.parametrize(
    "line",
    [
        "  client_secret: env:COGNITO_CLIENT_SECRET",
        "  client_secret: ${COGNITO_CLIENT_SECRET}",
        "  provider_arn: arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/sre",
        "  ssl_key_path: /etc/letsencrypt/live/sre.example.com/privkey.pem",
        "  key_name: ops-key",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    """References, ARNs and paths can be read in an excerpt."""
    assert redact_line(line) == line


def test_a_secret_over_several_lines() -> None:
    """A line of a block is hidden when the key above it holds a secret."""
    lines = ["credentials:", "  client_secret: |", "    first", "    second", "  client_id: x"]
    assert "second" not in render_excerpt(lines, Mark(4, 5))
    assert "client_id: x" in render_excerpt(lines, Mark(5, 3))


@pytest.mark.parametrize(
    "line",
    [
        "pasword: planted",
        ": planted",
        "  clientsecrt: planted",
        "'': planted",
        "aws: {regin: x, pwd: planted}",
        "- DB_PW=planted",
        "export PW=planted",
    ],
)
def test_a_value_that_nobody_knows(line: str) -> None:
    """A value whose key is unknown or missing may be a secret, so it is hidden."""
    assert "planted" not in render_excerpt([line], Mark(1, 1))


@pytest.mark.parametrize(
    "line", ["  regoin: us-east-1", "instanceType: t3.xlarge", "  - 203.0.113.0/24", "name: a: b", "  region us-east-1"]
)
def test_a_value_that_is_known_to_be_harmless(line: str) -> None:
    """A value of a misspelled setting that is no secret can be read."""
    assert line in render_excerpt([line], Mark(1, 1))


def test_the_caret_stays_below_its_place() -> None:
    """Behind a hidden value, in a long line, and behind a tab."""
    hidden = render_excerpt(["{password: planted-secret, regoin: x}"], Mark(1, 28, 6))
    assert hidden.split("\n")[1].index("^") == hidden.split("\n")[0].index("regoin")
    long = render_excerpt(["x" * 300 + "HERE" + "y" * 300], Mark(1, 301, 4))
    assert long.split("\n")[1].index("^") == long.split("\n")[0].index("HERE")
    tab = render_excerpt(["\tregoin: x"], Mark(1, 2, 6))
    assert tab.split("\n")[1].count("^") == 6


def test_secret_references() -> None:
    """The three stores, and ${NAME} as people write it; anything else may be the secret itself."""
    assert str(SecretReference.parse("${COGNITO}")) == "env:COGNITO"
    assert SecretReference.parse("aws-secretsmanager:sre/client") == SecretReference("aws-secretsmanager", "sre/client")
    assert SecretReference.parse("file:/run/secret") == SecretReference("file", "/run/secret")
    assert not any(map(SecretReference.parse, ("plain", "env:", "env:a b", "${A:-b}", "vault:x", "", "file:")))
