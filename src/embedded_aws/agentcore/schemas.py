"""Convert the schemas of one OpenAPI document to self-contained JSON Schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_NODES_AT_MOST = 50_000
_DEPTH_AT_MOST = 64
_DATA = ("example", "examples", "default", "enum", "const")
_ONLY_OPENAPI = ("xml", "discriminator", "externalDocs", "nullable", "example", "readOnly", "writeOnly", "deprecated")


class SchemaError(Exception):
    """A reason why AgentCore creates no tools from a document; its text goes into the `statusReasons` of the target."""


class Schemas:
    """Resolves references inside one document, within limits that protect against hostile documents."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        # OpenAPI 3.0 differs from JSON Schema in some keywords.
        self._is_3_0 = str(document.get("openapi", "")).startswith("3.0")
        self._nodes = 0

    def node(self, raw: Any) -> Mapping[str, Any]:
        """Follow the references of an object in the document."""
        for _ in range(_DEPTH_AT_MOST):
            if not isinstance(raw, dict):
                raise SchemaError("The OpenAPI schema has something else where an object belongs.")
            if "$ref" not in raw:
                return raw
            raw = self._target(str(raw["$ref"]))
        raise SchemaError("References in the OpenAPI schema form a circle.")

    def schema(self, raw: Any) -> Mapping[str, Any]:
        """Replace every reference in a schema by its target."""
        return self._inline(self.node(raw), 0)

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise SchemaError(f"References to other documents are not supported: {reference[:200]}")
        found: Any = self._document
        for step in reference[2:].split("/"):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise SchemaError(f"A reference leads nowhere: {reference[:200]}")
            found = found[key]
        return found

    def _inline(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        self._nodes += 1
        if depth > _DEPTH_AT_MOST or self._nodes > _NODES_AT_MOST:
            raise SchemaError("The OpenAPI schema is recursive or too large.")
        plain = {key: self._member(key, value, depth) for key, value in schema.items() if key not in _ONLY_OPENAPI}
        return _as_json_schema(schema, plain) if self._is_3_0 else plain

    def _member(self, key: str, value: Any, depth: int) -> Any:
        if key in _DATA:
            return value
        if key in ("properties", "patternProperties", "$defs") and isinstance(value, dict):
            return {name: self._inline(self.node(inner), depth + 1) for name, inner in value.items()}
        if isinstance(value, dict):
            return self._inline(self.node(value), depth + 1)
        if isinstance(value, list):
            return [self._inline(self.node(item), depth + 1) if isinstance(item, dict) else item for item in value]
        return value


def _as_json_schema(original: Mapping[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    if original.get("nullable") and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if plain.get(bound) is True and limit in plain:
            plain[bound] = plain.pop(limit)
        elif isinstance(plain.get(bound), bool):
            del plain[bound]
    return plain
