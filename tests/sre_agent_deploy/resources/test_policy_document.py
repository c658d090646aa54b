"""Policy documents: least privilege by construction, and back from what AWS shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.later import Ref, Text
from sre_agent_deploy.resources import policy_document
from sre_agent_deploy.resources.policy_document import Statement

WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
ACTIONS = st.lists(st.builds("{}:Get{}".format, WORDS, WORDS), min_size=1, max_size=4).map(tuple)
RESOURCES = st.lists(WORDS.map("arn:aws:s3:::{}/*".format), min_size=1, max_size=4).map(tuple)
CONDITION = st.one_of(WORDS, st.lists(WORDS, min_size=1, max_size=2).map(tuple))
CONDITIONS = st.dictionaries(WORDS, st.dictionaries(WORDS, CONDITION, min_size=1, max_size=2), max_size=2)
STATEMENTS = st.lists(st.builds(Statement, WORDS, ACTIONS, RESOURCES, CONDITIONS), max_size=4).map(tuple)


@given(STATEMENTS)
def test_what_was_declared_is_what_aws_shows(statements: tuple[Statement, ...]) -> None:
    """Any statements, written as a policy document and read back from it, are the same statements."""
    shown = json.loads(policy_document.render_json(policy_document.permissions_policy(statements)))
    assert policy_document.parse_statements(shown) == statements


@given(STATEMENTS, st.sampled_from(["Effect", "Action", "Resource", "NotAction"]), WORDS)
def test_any_change_to_a_policy_shows(statements: tuple[Statement, ...], key: str, value: str) -> None:
    """A policy in which anything was changed by hand never reads as the declared one."""
    shown = json.loads(policy_document.render_json(policy_document.permissions_policy(statements)))
    shown["Statement"].append({"Sid": "Added", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | {key: value})
    assert policy_document.parse_statements(shown) != statements


@pytest.mark.parametrize(
    "edit",
    [
        {"Effect": "Deny"},
        {"Sid": "Other"},
        {"Action": ["s3:PutObject"]},
        {"NotAction": ["s3:GetObject"]},
        {"Resource": ["arn:aws:s3:::files"]},
        {"NotResource": ["arn:aws:s3:::files"]},
        {"Principal": "*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_a_declared_statement_that_was_edited(edit: dict[str, Any]) -> None:
    """Each of its parts counts, and so does a part that was added to it."""
    declared = (Statement("Read", ("s3:GetObject",), ("arn:aws:s3:::files/*",), {"Bool": {"aws:SecureTransport": "false"}}),)
    shown = policy_document.permissions_policy(declared)
    assert policy_document.parse_statements(shown) == declared
    edited = {**shown, "Statement": [shown["Statement"][0] | edit]}
    assert policy_document.parse_statements(edited) != declared


@pytest.mark.parametrize(
    "edit",
    [
        {"Effect": "Deny"},
        {"Action": "sts:TagSession"},
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"AWS": "*"}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}},
        {"NotPrincipal": {"AWS": "*"}},
    ],
    ids=str,
)
def test_a_trust_policy_that_was_edited(edit: dict[str, Any]) -> None:
    """Another service, action, effect or condition never reads as the declared trust."""
    conditions = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    shown = policy_document.trust_policy("ec2.amazonaws.com", conditions)
    assert policy_document.parse_trust(shown) == ("ec2.amazonaws.com", conditions)
    edited = {**shown, "Statement": [shown["Statement"][0] | edit]}
    assert policy_document.parse_trust(edited) != ("ec2.amazonaws.com", conditions)


def test_any_resource_without_a_reason() -> None:
    """A star needs a reason, in the declaration itself."""
    with pytest.raises(ValueError, match="does not say why"):
        Statement("All", ("s3:GetObject",), ("*",))


@pytest.mark.parametrize("action", ["*", "s3:*"])
def test_every_action_of_a_service(action: str) -> None:
    """No reason is good enough for every action."""
    with pytest.raises(ValueError, match="every action"):
        Statement("All", (action,), ("arn:aws:s3:::files/*",))


def test_a_value_that_is_not_known_yet() -> None:
    """It shows in the guide by its name, and can't reach AWS."""
    later = policy_document.permissions_policy((Statement("Read", ("s3:GetObject",), (Text((Ref("bucket", "arn"), "/*")),)),))
    assert "<bucket.arn>/*" in policy_document.render_indented(later)
    with pytest.raises(TypeError):
        policy_document.render_json(later)
