"""Write a new configuration file without losing an existing one, and keep a draft of the answers until then."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.config.template import build_json_schema
from sre_core import atomic_file, clock
from sre_core.problem import Problem

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
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and held.get("title") == title


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
            held = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return self._damaged()
        if not isinstance(held, dict) or held.get("schema") != SCHEMA or not isinstance(held.get("answers"), dict):
            return self._damaged()
        return {str(key): value for key, value in held["answers"].items() if isinstance(value, str)}

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
