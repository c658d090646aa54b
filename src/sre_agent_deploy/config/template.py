"""Generate a commented config.yaml, and its JSON Schema for editors, from the models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from sre_agent_deploy.config.fault import Mode
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.section import Section

WIDTH = 110

# Values of the template that differ from the defaults, because each user has others.
PRODUCTION = {
    "mode": "production",
    "aws.account_id": "${AWS_ACCOUNT_ID}",
    "aws.region": "${AWS_REGION:-us-east-1}",
    "aws.endpoint_url": "${AWS_ENDPOINT_URL:-}",
    "deployment.domain_name": "${SRE_DOMAIN_NAME:-sre.example.com}",
    "deployment.ssl_cert_path": "${SRE_SSL_CERT_PATH:-/etc/letsencrypt/live/sre.example.com/fullchain.pem}",
    "deployment.ssl_key_path": "${SRE_SSL_KEY_PATH:-/etc/letsencrypt/live/sre.example.com/privkey.pem}",
    "deployment.ssl_ca_path": "${SRE_SSL_CA_PATH:-}",
    "tls.source": "files",
    "assistant.reasoner": "bedrock",
}
LOCAL = {"mode": "local", "name": "demo"}
LOCAL_FIELDS = ("version", "mode", "name", "services")


def render_template(mode: Mode, *, schema: str = "") -> str:
    """Render a configuration for `mode` with a comment on every field; `schema` is the JSON Schema for editors."""
    return "\n".join([*_render_head(mode, schema), *(line for name in _list_names(mode) for line in _render_top(name, mode))]) + "\n"


def _render_head(mode: Mode, schema: str) -> Iterator[str]:
    if schema:
        yield f"# yaml-language-server: $schema={schema}"
    yield "# The SRE assistant on AWS EC2." if mode == "production" else "# The SRE assistant on this machine, without an AWS account."
    yield "#   sre-agent-deploy --validate-only --config THIS_FILE"
    yield f"#   sre-agent-deploy --config THIS_FILE --mode {mode}"
    yield "# A field left empty is created by the deployer, or has AWS's default. ${NAME} and ${NAME:-default} come from the"
    yield "# environment or from a .env file beside this one; SRE_AGENT__SECTION__FIELD overrides a field. No secrets here."


def _list_names(mode: Mode) -> Iterator[str]:
    return (name for name in Config.model_fields if mode == "production" or name in LOCAL_FIELDS)


def _render_top(name: str, mode: Mode) -> Iterator[str]:
    field = Config.model_fields[name]
    yield ""
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
        yield from _render_comment(field.annotation.__doc__ or "", "")
        yield f"{name}:"
        for key, below in field.annotation.model_fields.items():
            yield from _render_field(key, below, _render_value(f"{name}.{key}", below, mode), "  ")
    else:
        yield from _render_field(name, field, _render_value(name, field, mode), "")


def _render_field(name: str, field: FieldInfo, value: str, indent: str) -> Iterator[str]:
    yield from _render_comment(field.description or "", indent)
    if field.examples and not value:
        yield f"{indent}#   example: {field.examples[0]}"
    if isinstance(field.json_schema_extra, dict):
        yield f"{indent}#   in the Console: {field.json_schema_extra['x-console']}"
    yield f"{indent}{name}: {value}".rstrip()


def _render_comment(text: str, indent: str) -> Iterator[str]:
    lines = textwrap.wrap(text, WIDTH - len(indent) - 2, break_long_words=False, break_on_hyphens=False)
    return (f"{indent}# {line}" for line in lines)


def _render_value(path: str, field: FieldInfo, mode: Mode) -> str:
    written = (PRODUCTION if mode == "production" else LOCAL).get(path)
    if written is not None:
        return written
    match field.default:
        case None:
            return ""
        case bool(flag):
            return str(flag).lower()
        case () | []:
            return "[]"
        case {}:
            return "{}"
        case value:
            return str(value)


DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = r"^.*\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}.*$"


def build_json_schema() -> dict[str, Any]:
    """Build the JSON Schema. Fields may be empty, and `${NAME}` is allowed for any number, choice or flag."""
    schema = Config.model_json_schema()
    described: dict[str, Any] = _allow_references(schema)
    return {"$schema": DIALECT, **described, "title": "sre-agent-deploy config.yaml"}


def _allow_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_allow_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    below = {key: _allow_references(value) for key, value in node.items()}
    if "enum" in below or "const" in below or below.get("type") in {"integer", "number", "boolean"}:
        return _allow_reference(below)
    if below.get("type") == "string":
        # An account ID may be written without quotes: the loader does not convert text to numbers.
        return {**below, "type": ["string", "integer", "null"]}
    if below.get("type") in {"object", "array"}:
        return {**below, "type": [below["type"], "null"]}
    return below


def _allow_reference(below: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: below.pop(key) for key in ("title", "description", "default", "examples", "x-console") if key in below}
    return {**kept, "anyOf": [below, {"type": "string", "pattern": REFERENCE}, {"type": "null"}]}
