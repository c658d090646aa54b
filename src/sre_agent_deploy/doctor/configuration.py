"""Read what the doctor needs from a configuration file, which need not be valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.config.document import Mapping as Document
from sre_agent_deploy.config.document import Tree, to_plain, walk
from sre_agent_deploy.config.environment import Expansion, apply_overrides, find_references, read_dotenv
from sre_agent_deploy.config.fault import Mode, format_path
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.parse import Malformed, parse
from sre_agent_deploy.config.read_text import read_text
from sre_agent_deploy.config.regions import is_plausible_region
from sre_agent_deploy.doctor.model import ConfigObservation
from sre_core.problem import Problem


@dataclass(frozen=True)
class Reading:
    """A configuration file and the .env file beside it, with mode and region."""

    config: ConfigObservation
    dotenv: Mapping[str, str]
    mode: Mode
    region: str


def read_configuration(path: Path, mode: Mode | None, environ: Mapping[str, str]) -> Reading:
    """Read the file as far as possible. Without a file the mode is production."""
    dotenv = read_dotenv_beside(path)
    usual = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if not path.exists():
        return Reading(ConfigObservation(str(path)), dotenv, mode or "production", usual)
    loaded = load(path, environ=environ, mode=mode)
    problems = loaded if isinstance(loaded, tuple) else ()
    tree = _parse_config(path)
    values = _read_values(tree, {**dotenv, **environ})
    region = values.get("aws.region", usual)
    seen = ConfigObservation(str(path), True, problems, tuple(find_references(tree)) if tree else (), values.get("aws.account_id", ""))
    named: Mode = "local" if values.get("mode") == "local" else "production"
    return Reading(seen, dotenv, mode or named, region if is_plausible_region(region) else "us-east-1")


def read_dotenv_beside(config: Path) -> Mapping[str, str]:
    """Read the .env file beside a configuration; an unreadable one counts as empty."""
    path = config.parent / ".env"
    text = read_text(path) if path.is_file() else ""
    return {} if isinstance(text, Problem) else read_dotenv(text)[0]


def _parse_config(path: Path) -> Tree | None:
    text = read_text(path)
    tree = parse(text) if isinstance(text, str) else None
    return None if isinstance(tree, Malformed) else tree


def _read_values(tree: Tree | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Read each text field by its dotted name, with the values of the environment."""
    expanded = Expansion(environ).expand(apply_overrides(tree, environ)) if isinstance(tree, Document) else None
    return {format_path(path): text for path, node in walk(expanded) if isinstance(text := to_plain(node), str)} if expanded else {}
