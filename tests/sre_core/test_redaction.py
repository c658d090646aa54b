"""Secrets reach neither a report nor a message: one set of patterns serves every program."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_core.redaction import HIDDEN, redact, redact_line, redact_secrets, redact_setting, redact_tree

SECRETS = [
    "password=hunter2-and-more",
    'connecting with {"api_key": "sk-test-1234567890abcdef"}',
    "Authorization: Bearer abcdef0123456789",
    "postgres://app:s3cr3tpass@db.shop:5432/orders",
    "using key AKIAIOSFODNN7EXAMPLE now",
    "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl end",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "mail alice.smith@example.com about it",
    "DB_PASSWORD: correct-horse",
    "ghp_0123456789abcdefghij0123456789abcdef",
]
NEEDLES = ["hunter2", "1234567890abcdef", "abcdef0123456789", "s3cr3tpass", "AKIAIOSFODNN7EXAMPLE"]
NEEDLES += ["eyJzdWIi", "MIIEow", "alice.smith", "correct-horse", "ghp_"]


@pytest.mark.parametrize(("text", "needle"), list(zip(SECRETS, NEEDLES, strict=True)))
def test_kinds_of_secrets(text: str, needle: str) -> None:
    """Keys, tokens, passwords, credentials in URLs and addresses are hidden, and the text says so."""
    assert needle not in redact(text)
    assert HIDDEN in redact(text)


def test_a_text_that_comes_again() -> None:
    """The cached result of a text never shows what it hides: neither later, nor for a caller to whom e-mail addresses are not hidden."""
    for text, needle in zip(SECRETS, NEEDLES, strict=True):
        assert needle not in redact(text), text
        assert needle not in redact(text), text
    mail = "write to bob.jones@example.com about it"
    assert redact_secrets(mail) == mail
    assert "bob.jones" not in redact(mail)


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "sk-ant-api03-abcdefghijklmnop",
        "sk_live_0123456789abcdef",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "github_pat_0123456789abcdefghij01",
        "glpat-0123456789abcdefghij",
        "xoxb-0123456789-abcdef",
        "AIza0123456789abcdefghijABCDEFGHIJ01",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    ],
)
def test_a_token_is_hidden_everywhere(token: str) -> None:
    """In an answer of a tool, in a line of a configuration and in a setting of a workload."""
    assert redact(f"used: {token}") == f"used: {HIDDEN}"
    assert redact_line(f"  region: {token}") == f"  region: {HIDDEN}"
    assert redact_setting("args", f"--with {token} -v") == f"--with {HIDDEN} -v"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T14:35:40Z ERROR could not resolve host db-primary.shop.svc:5432",
        "missing required setting PAYMENT_URL",
        "container exited with code 137 (OOMKilled)",
        "GET https://api.shop/v1/orders?limit=10 503",
    ],
)
def test_what_diagnosis_needs_stays(text: str) -> None:
    """Hosts, settings' names, codes and addresses without credentials are left as they are."""
    assert redact(text) == text


def test_values_under_sensitive_names() -> None:
    """In JSON a sensitive name hides its whole value, an environment entry's too; references stay."""
    tree = {"env": [{"name": "DB_PASSWORD", "value": "abc"}, {"name": "MODE", "value": "fast"}], "token": "t", "secretName": "db", "n": 3}
    hidden = redact_tree(tree)
    assert hidden == {
        "env": [{"name": "DB_PASSWORD", "value": HIDDEN}, {"name": "MODE", "value": "fast"}],
        "token": HIDDEN,
        "secretName": "db",
        "n": 3,
    }


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80), st.sampled_from(range(len(SECRETS))), st.text(max_size=80))
def test_any_text_around_a_secret(before: str, which: int, after: str) -> None:
    """Text around a secret does not save it, redacting twice changes nothing, and JSON stays JSON."""
    text = f"{before} {SECRETS[which]} {after}"
    once = redact(text)
    assert NEEDLES[which] not in once.replace(after, "", 1) or NEEDLES[which] in before + after
    assert redact(once) == once
    assert json.loads(json.dumps(redact_tree({"a": [text]})))


@pytest.mark.timeout(30)  # one of these took half a minute alone
@pytest.mark.parametrize("piece", ["a", "a-", "a.a.", "a@", "a:", "eyJ-", "password", "secret-", "-----BEGIN ", "sk-"])
def test_a_long_line_holds_nobody_up(piece: str) -> None:
    """Text comes from strangers: one made to be slow is redacted as quickly as any other."""
    long = piece * (20_000 // len(piece))
    for text in (f"eyJ{long}", f"x@{long}", f"scheme://{long}", f"{long}=", f"{long} password=hunter2"):
        assert "hunter2" not in redact(text)
