"""Evaluate IAM policies: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html."""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

type Statement = Mapping[str, Any]
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}
_KINDS = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "bool", "ipaddress"}) | {
    f"numeric{name}" for name in _COMPARISONS
}


class Verdict(Enum):
    """The result of one policy: an explicit deny wins; SILENT leaves the decision to other policies."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


@dataclass(frozen=True)
class AccessRequest:
    """One request as a policy sees it; the names of condition keys are in lower case.

    `principal` is an ARN, the name of an AWS service, or empty where the policy is the caller's own and names none, and for a caller
    who is no principal of IAM.
    """

    principal: str
    action: str
    resource: str
    keys: Mapping[str, str]


def evaluate(document: Mapping[str, Any], request: AccessRequest) -> Verdict:
    """Combine the statements that apply."""
    effects = {statement["Effect"] for statement in _as_list(document.get("Statement", ())) if _applies(statement, request)}
    if "Deny" in effects:
        return Verdict.DENIED
    return Verdict.ALLOWED if "Allow" in effects else Verdict.SILENT


def _applies(statement: Statement, request: AccessRequest) -> bool:
    # A condition that the local AWS does not implement allows nothing and stops no deny: it must not be more permissive than AWS.
    denies = statement["Effect"] == "Deny"
    return (
        _element(statement, "Principal", lambda value: _principal_is(value, request.principal))
        and _element(statement, "Action", lambda value: _any_like(value, request.action.lower(), fold=True))
        and _element(statement, "Resource", lambda value: _any_like(value, request.resource))
        and all(_condition_holds(*condition, request.keys, if_unknown=denies) for condition in _conditions(statement))
    )


def _element(statement: Statement, name: str, matches: Callable[[Any], bool]) -> bool:
    """Match `Action`, or not match `NotAction`; an absent element restricts nothing."""
    if name in statement:
        return matches(statement[name])
    return not matches(statement[f"Not{name}"]) if f"Not{name}" in statement else True


def _principal_is(value: Any, principal: str) -> bool:
    if not principal:
        return "*" in (_as_list(value.get("AWS", ())) if isinstance(value, Mapping) else _as_list(value))
    kind = "AWS" if principal.startswith("arn:") else "Service"
    named = _as_list(value.get(kind, ())) if isinstance(value, Mapping) else _as_list(value)
    account = principal.split(":")[4] if principal.count(":") >= 5 else None
    # The number or root of an account includes everyone in it.
    return any(name in ("*", principal, account) or (name.endswith(":root") and name.split(":")[4] == account) for name in named)


def _conditions(statement: Statement) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for kind, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield kind.lower(), key.lower(), tuple(_text(value) for value in _as_list(values))


def _condition_holds(name: str, key: str, values: tuple[str, ...], keys: Mapping[str, str], *, if_unknown: bool) -> bool:
    # Requests here have one value of each key. Of none, all are right: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    for_all = name.startswith("forallvalues:")
    if_exists = name.endswith("ifexists") or for_all
    kind = name.removeprefix("forallvalues:").removesuffix("ifexists")
    actual = keys.get(key)
    if kind == "null":
        return (actual is None) == (values[0] == "true")
    negated = "not" in kind
    kind = kind.replace("not", "")
    if kind not in _KINDS:
        return if_unknown
    if actual is None:
        # A key that the request does not have satisfies "IfExists" and the negated operators only.
        return if_exists or negated
    return _matches(kind, actual, values) is not negated


def _matches(kind: str, actual: str, values: tuple[str, ...]) -> bool:
    if kind == "ipaddress":
        return any(_in_network(actual, value) for value in values)
    if kind.startswith("numeric"):
        compare = _COMPARISONS[kind.removeprefix("numeric")]
        return any(compare(float(actual), float(value)) for value in values)
    match kind:
        case "stringlike" | "arnlike" | "arnequals":
            return _any_like(values, actual)
        case "stringequalsignorecase":
            return actual.lower() in [value.lower() for value in values]
        case _:  # stringequals, bool
            return actual in values


def _in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _any_like(patterns: Any, text: str, *, fold: bool = False) -> bool:
    return any(_like(pattern.lower() if fold else pattern, text) for pattern in _as_list(patterns))


def _like(pattern: str, text: str) -> bool:
    return _compile(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern once: every request is matched with all patterns of its caller's policies, half of what the local AWS computed."""
    return re.compile("".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern), re.DOTALL)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


type Policy = Mapping[str, Any]
type Context = Mapping[str, str]

GATEWAY_SERVICE = "bedrock-agentcore.amazonaws.com"


def trusts_gateway(trust: Policy, context: Context) -> bool:
    """Return whether a role lets AgentCore assume it, for the account and gateway in `context`."""
    request = AccessRequest(principal=GATEWAY_SERVICE, action="sts:AssumeRole", resource="", keys=_keys(context))
    return evaluate(trust, request) is Verdict.ALLOWED


def allows(policies: Iterable[Policy], action: str, resource: str, context: Context) -> bool:
    """Return whether these policies together allow `action` on `resource`: an allow, and no deny."""
    request = AccessRequest(principal="", action=action, resource=resource, keys=_keys(context))
    verdicts = {evaluate(policy, request) for policy in policies}
    return Verdict.ALLOWED in verdicts and Verdict.DENIED not in verdicts


def _keys(context: Context) -> dict[str, str]:
    return {key.lower(): value for key, value in context.items()}
