"""Which old files there are, and what kind each is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.parse import Malformed
from sre_agent_deploy.config.read_text import read_text
from sre_agent_deploy.edit.meant import meaning
from sre_agent_deploy.migrate.setting import OldFile, of_dotenv, of_yaml
from sre_core.problem import Problem

# Where the sample keeps them, and where they are for somebody who works in one of its folders.
PLACES = (
    "gateway/config.yaml",
    "gateway/.env",
    "sre_agent/.env",
    "sre_agent/config/agent_config.yaml",
    "agent_config.yaml",
    "deployment/.cognito_config",
    ".cognito_config",
)
_OF_THE_SAMPLE = frozenset({"agents", "global_tools"})


def found(folder: Path) -> tuple[Path, ...]:
    """The old files below a folder; its own config.yaml and .env count where the first is not ours."""
    own = folder / "config.yaml"
    text = read_text(own) if own.is_file() else ""
    flat = isinstance(text, str) and bool(text.strip()) and not is_ours(text)
    here = [own, *([folder / ".env"] if (folder / ".env").is_file() else [])] if flat else []
    return (*here, *(folder / place for place in PLACES if (folder / place).is_file()))


def read_old(path: Path) -> OldFile | Problem:
    """The settings of one old file."""
    text = read_text(path)
    if isinstance(text, Problem):
        return text
    as_yaml = path.suffix in {".yaml", ".yml", ".json"} or text.lstrip().startswith("{")
    return of_yaml(str(path), text) if as_yaml else of_dotenv(str(path), text)


def is_ours(text: str) -> bool:
    """Whether a text is a config.yaml of this tool, of whatever version. What can't be read is left for its owner to look at."""
    values = meaning(text)
    if isinstance(values, Malformed) or not isinstance(values, Mapping):
        return True
    return not _OF_THE_SAMPLE & values.keys() and (not values or bool(values.keys() & Config.model_fields.keys()))
