"""OpenAPI documents for AgentCore, generated from the routes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

_VERSION = "1.0.0"
_ANSWER: dict[str, Any] = {
    "type": "object",
    "description": "Items in order of importance. Times are UTC; units are in the names of the fields.",
    "required": ["as_of", "summary", "items", "total", "truncated"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time", "description": "The moment that durations such as 15m are counted back from."},
        "window": {
            "type": "object",
            "description": "The time that was looked at.",
            "properties": {"start": {"type": "string", "format": "date-time"}, "end": {"type": "string", "format": "date-time"}},
        },
        "summary": {"type": "object", "description": "Counts over all items, those cut included."},
        "total": {"type": "integer", "description": "Items before cutting."},
        "truncated": {"type": "boolean"},
        "returned": {"type": "integer", "description": "Items in this answer, where it was cut."},
        "more": {"type": "string", "description": "How to ask for what was cut."},
        "cursor": {"type": "string", "description": "Ask the same with this cursor for the items that come next."},
        "note": {"type": "string", "description": "What an empty or partial answer means."},
        "failed_sources": {
            "type": "object",
            "description": "Sources that did not answer, each with a problem code: what they have is missing.",
        },
        "items": {"type": "array", "items": {"type": "object"}},
    },
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "do"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "do": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}
_RESPONSES = {
    "200": ("The answer", "Answer"),
    "400": ("Arguments that can't be used, all of them", "Error"),
    "401": ("The API key is missing or wrong", "Error"),
    "429": ("The service is busy; Retry-After says when to ask again", "Error"),
    "503": ("The system from which the service answers can't be read", "Error"),
}


def build_document(title: str, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Build a document that AgentCore accepts: an operationId everywhere; no anyOf, security, servers or parameter styles."""
    made = get_openapi(title=title, version=_VERSION, routes=routes, openapi_version="3.0.3")
    return {
        "openapi": made["openapi"],
        "info": made["info"],
        "paths": {path: {"get": _operation(item["get"])} for path, item in made["paths"].items()},
        "components": {"schemas": {"Answer": _ANSWER, "Error": _ERROR}},
    }


def _operation(made: dict[str, Any]) -> dict[str, Any]:
    """Replace the responses of FastAPI's operation by ours, and drop its derived titles."""
    responses = {
        status: {"description": text, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
        for status, (text, schema) in _RESPONSES.items()
    }
    return {
        "operationId": made["operationId"],
        "summary": made["summary"],
        "description": " ".join(made["description"].split()),
        "parameters": [_parameter(parameter) for parameter in made.get("parameters", [])],
        "responses": responses,
    }


def _parameter(made: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in made["schema"].items() if key not in ("title", "description") and value != ""}
    return {**made, "schema": schema}


def format_document(document: dict[str, Any]) -> str:
    """Format the document for its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def document_path(service: str) -> Path:
    """Return the path of a service's document in this package."""
    return Path(__file__).parent / service / "openapi.json"
