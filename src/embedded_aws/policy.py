"""Evaluate IAM policies: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from embedded_aws.policy_conditions import holds, list_conditions
from embedded_aws.policy_patterns import Keys, is_like, is_resource

type Statement = Mapping[str, Any]

# Older policies have no variables: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
_WITH_VARIABLES = "2012-10-17"


class Verdict(Enum):
    """The result of one policy: an explicit deny wins; SILENT leaves the decision to other policies."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


class Named(IntEnum):
    """The ways in which a resource's policy names a caller: each limits what it grants less than the one before.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """

    NOT = 0
    BY_ACCOUNT = 1
    """The policies of the caller decide."""
    BY_ROLE = 2
    """A permissions boundary and a session policy must allow it, too."""
    ITSELF = 3


@dataclass(frozen=True)
class AccessRequest:
    """One request as a policy sees it; the names of condition keys are in lower case, a key of several values has a tuple.

    `principal` is an ARN, the name of an AWS service, or empty where the policy is the caller's own and names none, and for a caller
    who is no principal of IAM.
    """

    principal: str
    action: str
    resource: str
    keys: Keys
    bounded: bool = False
    """Say that the caller has a permissions boundary: each Deny with NotPrincipal is about it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """


def evaluate(document: Mapping[str, Any], request: AccessRequest) -> Verdict:
    """Combine the statements that apply."""
    effects = {statement["Effect"] for statement in _list_applying(document, request)}
    if "Deny" in effects:
        return Verdict.DENIED
    return Verdict.ALLOWED if "Allow" in effects else Verdict.SILENT


def find_grant(document: Mapping[str, Any], request: AccessRequest) -> Named:
    """Return how the policy of a resource names the caller where it allows the request."""
    allowing = (statement for statement in _list_applying(document, request) if statement["Effect"] == "Allow")
    return max((_find_name(statement.get("Principal", ()), request.principal) for statement in allowing), default=Named.NOT)


def _list_applying(document: Mapping[str, Any], request: AccessRequest) -> Iterator[Statement]:
    variables = request.keys if document.get("Version") == _WITH_VARIABLES else None
    return (each for each in _as_list(document.get("Statement", ())) if _applies(each, request, variables))


def _applies(statement: Statement, request: AccessRequest, variables: Keys | None) -> bool:
    # An operator that IAM does not have allows nothing and stops no deny: the local AWS must not be more permissive than AWS.
    denies = statement["Effect"] == "Deny"
    return (
        (denies and request.bounded and "NotPrincipal" in statement)
        or _element(statement, "Principal", lambda value: _find_name(value, request.principal) is not Named.NOT)
    ) and (
        _element(statement, "Action", lambda value: any(is_like(each.lower(), request.action.lower()) for each in _as_list(value)))
        and _element(statement, "Resource", lambda value: any(is_resource(each, request.resource, variables) for each in _as_list(value)))
        and all(holds(each, request.keys, variables, if_unknown=denies) for each in list_conditions(statement))
    )


def _element(statement: Statement, name: str, matches: Callable[[Any], bool]) -> bool:
    """Match `Action`, or not match `NotAction`; an absent element restricts nothing."""
    if name in statement:
        return matches(statement[name])
    return not matches(statement[f"Not{name}"]) if f"Not{name}" in statement else True


def _find_name(value: Any, principal: str) -> Named:
    """Return how an element names a caller: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html."""
    kind = "AWS" if principal.startswith("arn:") or not principal else "Service"
    names = _as_list(value.get(kind, ())) if isinstance(value, Mapping) else _as_list(value)
    return max((_compare_name(name, principal) for name in names), default=Named.NOT)


def _compare_name(name: str, principal: str) -> Named:
    if name in ("*", principal):
        return Named.ITSELF
    account, found = principal.split(":")[4] if principal.count(":") >= 5 else "", name.split(":", 5)
    if not account:
        return Named.NOT
    if name == account or (found[4:] == [account, "root"]):
        return Named.BY_ACCOUNT
    session = principal.split(":", 5)[5].split("/")
    is_role = session[0] == "assumed-role" and found[2:3] == ["iam"] and found[4:5] == [account] and found[5].startswith("role/")
    return Named.BY_ROLE if is_role and found[5].rpartition("/")[2] == session[1] else Named.NOT


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


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
