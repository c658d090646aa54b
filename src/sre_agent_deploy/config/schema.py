"""The JSON Schema of config.yaml, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.config.models import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = r"^.*\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}.*$"


def json_schema() -> dict[str, Any]:
    """The schema, in which a field may be empty and `${NAME}` may stand for any number, choice or flag."""
    schema = Config.model_json_schema()
    described: dict[str, Any] = _with_references(schema)
    return {"$schema": DIALECT, **described, "title": "sre-agent-deploy config.yaml"}


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    below = {key: _with_references(value) for key, value in node.items()}
    if "enum" in below or "const" in below or below.get("type") in {"integer", "number", "boolean"}:
        return _either(below)
    if below.get("type") == "string":
        # An account ID may be written without quotes: the loader reads text as it stands.
        return {**below, "type": ["string", "integer", "null"]}
    if below.get("type") in {"object", "array"}:
        return {**below, "type": [below["type"], "null"]}
    return below


def _either(below: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {key: below.pop(key) for key in ("title", "description", "default", "examples", "x-console") if key in below}
    return {**told, "anyOf": [below, {"type": "string", "pattern": REFERENCE}, {"type": "null"}]}
