"""Checks a request against every constraint of AWS's model: botocore sends what breaks them, and AWS refuses it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from embedded_aws.agentcore import model
from embedded_aws.agentcore.errors import Violation
from embedded_aws.agentcore.model import Shape


def violations(shape_name: str, value: Any, path: str = "") -> Iterator[Violation]:
    """Everything in `value` that breaks a constraint of its shape; `value` has been through `project`."""
    described = model.shape(shape_name)
    kind = described["type"]
    if kind == "structure":
        yield from _structure_violations(described, value, path)
    elif kind == "list":
        yield from _size_violations(described, len(value), path)
        for index, item in enumerate(value, start=1):
            yield from violations(described["member"]["shape"], item, f"{path}.{index}.member")
    elif kind == "map":
        yield from _size_violations(described, len(value), path)
        for key, item in value.items():
            yield from violations(described["key"]["shape"], key, f"{path}.key")
            yield from violations(described["value"]["shape"], item, f"{path}.{key}.value")
    elif kind == "string":
        yield from _size_violations(described, len(value), path)
        yield from _text_violations(described, value, path)
    elif kind in ("integer", "long"):
        yield from _range_violations(described, value, path)


def _structure_violations(described: Shape, value: Mapping[str, Any], path: str) -> Iterator[Violation]:
    if described.get("union") and len(value) != 1:
        yield Violation(path, f"Exactly one member must be set of: {', '.join(described['members'])}")
    required = described.get("required", ())
    for name, inner, _ in model.members(described):
        inner_path = f"{path}.{name}" if path else name
        if name in value:
            yield from violations(inner, value[name], inner_path)
        elif name in required:
            yield Violation(inner_path, "Member must not be null")


def _size_violations(described: Shape, size: int, path: str) -> Iterator[Violation]:
    if size < described.get("min", 0):
        yield Violation(path, f"Member must have length greater than or equal to {described['min']}")
    if "max" in described and size > described["max"]:
        yield Violation(path, f"Member must have length less than or equal to {described['max']}")


def _range_violations(described: Shape, value: int, path: str) -> Iterator[Violation]:
    if "min" in described and value < described["min"]:
        yield Violation(path, f"Member must have value greater than or equal to {described['min']}")
    if "max" in described and value > described["max"]:
        yield Violation(path, f"Member must have value less than or equal to {described['max']}")


def _text_violations(described: Shape, value: str, path: str) -> Iterator[Violation]:
    if "enum" in described and value not in described["enum"]:
        yield Violation(path, f"Member must satisfy enum value set: [{', '.join(described['enum'])}]")
    # No pattern of this API is meant for more text than any name, URI or ARN has.
    if "pattern" in described and (len(value) > 65_536 or not re.fullmatch(described["pattern"], value)):
        yield Violation(path, f"Member must satisfy regular expression pattern: {described['pattern']}")
