"""What IAM policies allow: the part of IAM's evaluation that a gateway's role needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

type Policy = Mapping[str, Any]
type Context = Mapping[str, str]

GATEWAY_SERVICE = "bedrock-agentcore.amazonaws.com"


def trusts_gateway(trust: Policy, context: Context) -> bool:
    """Whether a role lets AgentCore assume it, for the account and gateway in `context`."""
    matching = [each for each in _statements(trust) if _is_trusted(each) and _action_matches(each, "sts:AssumeRole")]
    return _decide(matching, context)


def allows(policies: Iterable[Policy], action: str, resource: str, context: Context) -> bool:
    """Whether these policies together allow `action` on `resource`: an allow, and no deny."""
    statements = [each for policy in policies for each in _statements(policy)]
    matching = [each for each in statements if _action_matches(each, action) and _resource_matches(each, resource)]
    return _decide(matching, context)


def _decide(statements: Iterable[Policy], context: Context) -> bool:
    effects = [each.get("Effect") for each in statements if _conditions_hold(each, context)]
    return "Allow" in effects and "Deny" not in effects


def _statements(policy: Policy) -> list[Policy]:
    return _listed(policy.get("Statement"))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_trusted(statement: Policy) -> bool:
    principal = statement.get("Principal", {})
    if not isinstance(principal, Mapping):
        return bool(principal == "*")
    return GATEWAY_SERVICE in _listed(principal.get("Service"))


def _action_matches(statement: Policy, action: str) -> bool:
    if "NotAction" in statement:
        return not any(_wildcard(each.lower(), action.lower()) for each in _listed(statement["NotAction"]))
    return any(_wildcard(each.lower(), action.lower()) for each in _listed(statement.get("Action")))


def _resource_matches(statement: Policy, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_wildcard(each, resource) for each in _listed(statement["NotResource"]))
    return any(_wildcard(each, resource) for each in _listed(statement.get("Resource")))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _wildcard(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


def _equal(wanted: str, found: str) -> bool:
    return wanted == found


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringLike": _wildcard,
    "ArnEquals": _wildcard,
    "ArnLike": _wildcard,
}


def _conditions_hold(statement: Policy, context: Context) -> bool:
    """Whether every condition holds; one with an operator or key that is not known here never does."""
    known = {key.lower(): value for key, value in context.items()}
    for operator, wanted in statement.get("Condition", {}).items():
        compare = _OPERATORS.get(operator)
        for key, values in wanted.items():
            found = known.get(key.lower())
            if compare is None or found is None or not any(compare(each, found) for each in _listed(values)):
                return False
    return True
