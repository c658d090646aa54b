"""Write a new config.yaml: a commented template from the models, or that of the short way; and its JSON Schema for editors.

An existing file is never replaced, and a draft of the answers to questions is kept until the file is written. The short way is the
assistant on this machine, over a cluster of one's own.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from sre_agent_deploy.config import Mode
from sre_agent_deploy.config.load import load_text
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.section import Section
from sre_agent_deploy.config.text_file import read_text
from sre_core import atomic_file, clock
from sre_core.problem import Problem, Refused, Where

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


SCHEMA_NAME = "config.schema.json"


@dataclass(frozen=True)
class Written:
    """The path of the new file, and of the old one that was moved aside."""

    path: Path
    replaced: Path | None = None


def find_obstacle(path: Path, *, force: bool) -> Problem | None:
    """Explain why no configuration can be written to `path`, before the first question."""
    if path.is_dir():
        return _not_written(path, "It is a folder.", f"Name a file in it: --output {path / 'config.yaml'}")
    if path.suffix.lower() == ".json":
        return _not_written(path, "It has comments, and JSON has none.", f"Use YAML: --output {path.with_suffix('.yaml')}")
    if not path.parent.is_dir():
        return _not_written(path, f"There is no folder {path.parent}.", f"Make it: mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK):
        return _not_written(path, f"You have no permission to write in {path.parent}.", "Choose another path: --output PATH")
    if path.exists() and not force:
        return _there_already(path)
    return None


def write(path: Path, text: str, *, force: bool) -> Written | Problem:
    """Write `text` to `path`. With `force` an existing file is moved aside, not lost."""
    if problem := find_obstacle(path, force=force):
        return problem
    replaced = _move_aside(path) if path.exists() else None
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return _there_already(path)
    except OSError as error:
        return _not_written(path, f"{error.strerror}.", "Make room (df -h), or choose another path: --output PATH")
    return Written(path, replaced)


def write_schema(folder: Path) -> str:
    """Write the JSON Schema for editors into `folder` and return its name; "" if another file has that name."""
    path = folder / SCHEMA_NAME
    schema = build_json_schema()
    if path.exists() and not _is_ours(path, str(schema["title"])):
        return ""
    atomic_file.write(path, (json.dumps(schema, indent=2) + "\n").encode())
    return SCHEMA_NAME


def _is_ours(path: Path, title: str) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("title") == title


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.until-{clock.stamp().replace(':', '')}")
    path.rename(aside)
    return aside


def _there_already(path: Path) -> Problem:
    return Problem(
        code="INIT-FILE-EXISTS",
        what=f"{path} exists already, and was not changed.",
        why="It may hold your settings.",
        do=(
            f"Check it: sre-agent-deploy validate --config {path}",
            "Or write to another path: --output PATH",
            "Or add --force: the existing file is then kept beside the new one, under another name.",
        ),
    )


def _not_written(path: Path, why: str, do: str) -> Problem:
    return Problem(code="INIT-NO-PLACE", what=f"{path} can't be written.", why=why, do=(do,))


SCHEMA = 1


@dataclass(frozen=True)
class Draft:
    """The file `config.yaml.draft`. It holds only answers that passed every check."""

    path: Path

    @classmethod
    def beside(cls, config: Path) -> Draft:
        return cls(config.with_name(f"{config.name}.draft"))

    def load(self) -> Mapping[str, str] | Problem:
        """Load the saved answers; none if there is no draft."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return self._damaged()
        if not isinstance(content, dict) or content.get("schema") != SCHEMA or not isinstance(content.get("answers"), dict):
            return self._damaged()
        return {str(key): value for key, value in content["answers"].items() if isinstance(value, str)}

    def save(self, answers: Mapping[str, str]) -> None:
        """Save these answers atomically."""
        text = json.dumps({"schema": SCHEMA, "answers": dict(answers)}, indent=2) + "\n"
        atomic_file.write(self.path, text.encode())

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    def _damaged(self) -> Problem:
        return Problem(
            code="INTERACTIVE-DRAFT-DAMAGED",
            what=f"{self.path} is not a draft that can be read.",
            why="It was edited or truncated, or another version wrote it. It was not changed.",
            do=(f"Delete it and answer again: rm {self.path}", "Or write to another path: --output PATH"),
        )


NAME = "own"


def write_configuration(path: Path, kubeconfig: Path, prometheus: str | None) -> bool:
    """Write the configuration and return True; False where the same is there already.

    Raises Refused where it would not be valid, and where another configuration is there: that is never replaced.
    """
    text = "\n".join((*_lines(kubeconfig.expanduser().absolute(), prometheus), ""))
    if path.exists():
        if read_text(path) == text:
            return False
        raise Refused(_another(path))
    loaded = load_text(path, text, environ=os.environ, mode="local")
    if isinstance(loaded, tuple):
        raise Refused(*_drop_repeated([_name_flag(problem, text) for problem in loaded]))
    atomic_file.write(path, text.encode(), mode=0o644)
    return True


def _lines(kubeconfig: Path, prometheus: str | None) -> Iterator[str]:
    reference = json.dumps(f"file:{kubeconfig}")
    yield "# The SRE assistant on this machine, over a cluster of your own, which it only reads."
    yield "#   sre-agent-deploy deploy --config THIS_FILE"
    yield from ("version: 1", "mode: local", f"name: {NAME}", "services:")
    for service in ("kubernetes", "logs"):
        yield from (f"  {service}:", "    - source: kubeconfig", f"      kubeconfig: {reference}")
    if prometheus:
        yield from ("  metrics:", "    - source: prometheus", f"      url: {json.dumps(prometheus)}")


def _name_flag(problem: Problem, text: str) -> Problem:
    """Name the flag instead of a place in a file that was not written."""
    line = text.splitlines()[problem.where.line - 1].strip() if problem.where and problem.where.line else ""
    flag = {"url": "--prometheus", "kubeconfig": "--kubeconfig"}.get(line.partition(":")[0])
    return replace(problem, what=f"{flag} can't have this value.", where=Where(flag)) if flag else problem


def _drop_repeated(problems: list[Problem]) -> list[Problem]:
    """Keep each problem once: one value is written for the cluster and for its logs."""
    return [problem for at, problem in enumerate(problems) if problem not in problems[:at]]


def _another(path: Path) -> Problem:
    return Problem(
        code="OWN-CLUSTER-CONFIG-EXISTS",
        what=f"{path} is there already, and was not changed.",
        why="It is not the configuration that --kubeconfig and --prometheus would write.",
        do=(
            f"To use it, set the sources below services in it, and run: sre-agent-deploy deploy --config {path}",
            "Or run the same command in an empty folder.",
        ),
    )
