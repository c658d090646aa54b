"""Evaluate the conditions of IAM policies, with all operators (pure).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from embedded_aws.policy_patterns import Keys, fill_in, is_arn, is_like

type _Matches = Callable[[str, str, Keys | None], bool]

_ANY, _ALL, _IF_EXISTS = "foranyvalue:", "forallvalues:", "ifexists"


@dataclass(frozen=True)
class Condition:
    """One operator on one key: `kind` is the operator without what negates it, and without what surrounds it."""

    kind: str
    key: str
    values: tuple[str, ...]
    negated: bool
    if_exists: bool
    of_values: str


def list_conditions(statement: Mapping[str, Any]) -> Iterator[Condition]:
    """List the conditions of a statement, which must all hold."""
    for name, keys in statement.get("Condition", {}).items():
        lower = name.lower()
        of_values = next((each for each in (_ANY, _ALL) if lower.startswith(each)), "")
        kind = lower.removeprefix(of_values).removesuffix(_IF_EXISTS)
        for key, values in keys.items():
            texts = tuple(_text(value) for value in (values if isinstance(values, (list, tuple)) else (values,)))
            yield Condition(kind.replace("not", ""), key.lower(), texts, "not" in kind, lower.endswith(_IF_EXISTS), of_values)


def holds(condition: Condition, keys: Keys, variables: Keys | None, *, if_unknown: bool) -> bool:
    """Say if a request with these keys meets a condition; `if_unknown` is the answer for an operator that IAM does not have."""
    actual = keys.get(condition.key)
    if condition.kind == "null":
        return ("true" if actual is None else "false") in [value.lower() for value in condition.values]
    if condition.kind not in _KINDS:
        return if_unknown
    if actual is None:
        return _holds_without_key(condition)
    if isinstance(actual, tuple) and not condition.of_values:
        # A key of several values is compared by ForAllValues and ForAnyValue only.
        return False
    combine: Callable[[Iterable[bool]], bool] = any if condition.of_values == _ANY else all
    matches = _KINDS[condition.kind]
    each_value = actual if isinstance(actual, tuple) else (actual,)
    return combine(any(matches(expected, each, variables) for expected in condition.values) is not condition.negated for each in each_value)


def _holds_without_key(condition: Condition) -> bool:
    """Answer for a key that the request does not have.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    if condition.of_values == _ANY:
        return False
    return condition.of_values == _ALL or condition.if_exists or condition.negated


def _is_equal(expected: str, actual: str, variables: Keys | None) -> bool:
    return fill_in(expected, variables) == actual


def _is_equal_folded(expected: str, actual: str, variables: Keys | None) -> bool:
    return (filled := fill_in(expected, variables)) is not None and filled.lower() == actual.lower()


def _in_network(network: str, address: str, _variables: Keys | None) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _comparing(compare: Callable[[float, float], bool], read: Callable[[str], float]) -> _Matches:
    def matches(expected: str, actual: str, _variables: Keys | None) -> bool:
        try:
            return compare(read(actual), read(expected))
        except ValueError:
            return False

    return matches


def _read_time(text: str) -> float:
    """Read a date as W3C's ISO 8601 or as seconds since 1970. Raises ValueError."""
    if text.isdecimal() and len(text) != len("2026"):
        return float(text)
    parsed = (
        datetime.fromisoformat(text if len(text) != len("2026-11") else f"{text}-01")
        if len(text) != len("2026")
        else datetime(int(text), 1, 1)
    )
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_COMPARISONS = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}
_KINDS: Mapping[str, _Matches] = {
    "stringequals": _is_equal,
    "stringequalsignorecase": _is_equal_folded,
    "stringlike": is_like,
    "arnequals": is_arn,
    "arnlike": is_arn,
    "bool": _is_equal_folded,
    "binaryequals": _is_equal,
    "ipaddress": _in_network,
    **{f"numeric{name}": _comparing(compare, float) for name, compare in _COMPARISONS.items()},
    **{f"date{name}": _comparing(compare, _read_time) for name, compare in _COMPARISONS.items()},
}
