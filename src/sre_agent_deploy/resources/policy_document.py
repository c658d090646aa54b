"""IAM policy documents, from statements that name what they allow (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sre_agent_deploy.later import LaterText

type Conditions = Mapping[str, Mapping[str, LaterText | tuple[str, ...]]]
NO_CONDITIONS: Conditions = MappingProxyType({})
VERSION = "2012-10-17"
_ANYBODY = {"Principal": "*"}


@dataclass(frozen=True)
class Statement:
    """Allows `actions` on `resources`, and on nothing else.

    `"*"` as a resource needs `any_resource_because`: the reason why AWS allows nothing narrower for these actions.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[LaterText, ...]
    conditions: Conditions = NO_CONDITIONS
    any_resource_because: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if "*" in self.resources and not self.any_resource_because:
            raise ValueError(f'{self.sid} allows "*" and does not say why nothing narrower will do')
        if _too_wide(self.actions):
            raise ValueError(f"{self.sid} allows every action of a service")


def permissions_policy(statements: tuple[Statement, ...]) -> dict[str, Any]:
    """Build the permissions policy of these statements. Refs stay inside until they are resolved."""
    return {"Version": VERSION, "Statement": [_allow_statement(statement) for statement in statements]}


def open_policy(statements: tuple[Statement, ...]) -> dict[str, Any]:
    """Build the policy of an endpoint: it allows these statements to every caller that meets their conditions."""
    return {"Version": VERSION, "Statement": [_allow_statement(statement) | _ANYBODY for statement in statements]}


def trust_policy(service: str, conditions: Conditions = NO_CONDITIONS) -> dict[str, Any]:
    """Build the trust policy that lets one AWS service, and no other principal, assume a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": VERSION, "Statement": [statement | _condition(conditions)]}


def render_json(document: Mapping[str, Any]) -> str:
    """Render the JSON that AWS gets. Raises TypeError while a Ref inside is still open."""
    return json.dumps(document)


def render_indented(document: Mapping[str, Any]) -> str:
    """Render the JSON that a person pastes; values that are not known yet are shown as `<gateway.gateway_id>`."""
    return json.dumps(document, indent=2, default=str, ensure_ascii=False)


def parse_statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Parse the statements of a policy that AWS shows. One that we can't declare has its text in `sid`, and so counts as a difference."""
    return tuple(_parse_statement(part) for part in _as_list(document.get("Statement")))


def parse_open_statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Parse the statements of an endpoint's policy; one that names other principals counts as a difference."""
    parts = _as_list(document.get("Statement"))
    plain = [{key: value for key, value in part.items() if key != "Principal" or value != _ANYBODY["Principal"]} for part in parts]
    return tuple(_parse_statement(part) for part in plain)


def parse_trust(document: Mapping[str, Any]) -> tuple[str, Conditions]:
    """Parse the service and conditions of a trust policy; any other shape is shown as its JSON, and so counts as a difference."""
    parts = _as_list(document.get("Statement"))
    if len(parts) == 1:
        principal, conditions = parts[0].get("Principal"), _parse_conditions(parts[0])
        service = principal.get("Service") if isinstance(principal, Mapping) else None
        if isinstance(service, str) and _equal(trust_policy(service, conditions), document):
            return service, conditions
    return json.dumps(parts), _parse_conditions(parts[0]) if len(parts) == 1 else NO_CONDITIONS


def _allow_statement(statement: Statement) -> dict[str, Any]:
    parts: dict[str, Any] = {"Sid": statement.sid, "Effect": "Allow", "Action": list(statement.actions)}
    return parts | {"Resource": list(statement.resources)} | _condition(statement.conditions)


def _condition(conditions: Conditions) -> dict[str, Any]:
    if not conditions:
        return {}
    return {"Condition": {operator: dict(keys) for operator, keys in conditions.items()}}


def _parse_conditions(part: Mapping[str, Any]) -> Conditions:
    """Parse the conditions of a statement; several values of a key are a tuple, as they are declared."""
    conditions = part.get("Condition", {})
    return {
        operator: {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}
        for operator, keys in conditions.items()
    }


def _parse_statement(part: Mapping[str, Any]) -> Statement:
    actions = tuple(_as_list(part.get("Action")))
    if not _too_wide(actions):
        resources, conditions = tuple(_as_list(part.get("Resource"))), _parse_conditions(part)
        statement = Statement(part.get("Sid", ""), actions, resources, conditions, any_resource_because="AWS shows it")
        if _equal(_allow_statement(statement), part):
            return statement
    return Statement(f"changed: {json.dumps(part)}", (), ())


def _too_wide(actions: tuple[str, ...]) -> bool:
    return any(action == "*" or action.endswith(":*") for action in actions)


def _equal(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
