"""Answers that are kept beside the file they are for, from the first one on, until it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_core.problem import Problem

SCHEMA = 1


@dataclass(frozen=True)
class Draft:
    """The file `config.yaml.draft`; only answers that passed every check are ever in it."""

    path: Path

    @classmethod
    def beside(cls, config: Path) -> Draft:
        return cls(config.with_name(f"{config.name}.draft"))

    def load(self) -> Mapping[str, str] | Problem:
        """The answers that were kept; none where there is no draft."""
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return self._damaged()
        if not isinstance(held, dict) or held.get("schema") != SCHEMA or not isinstance(held.get("answers"), dict):
            return self._damaged()
        return {str(key): value for key, value in held["answers"].items() if isinstance(value, str)}

    def keep(self, answers: Mapping[str, str]) -> None:
        """Keep these answers. However this ends, the file is the one from before or the one from after."""
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_text(json.dumps({"schema": SCHEMA, "answers": dict(answers)}, indent=2) + "\n", encoding="utf-8")
        beside.replace(self.path)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _damaged(self) -> Problem:
        return Problem(
            code="INTERACTIVE-DRAFT-DAMAGED",
            what=f"{self.path} can't be read as answers of an earlier time.",
            why="It was changed by hand or cut short, or another version wrote it. It was left as it is.",
            do=(f"Remove it and answer anew: rm {self.path}", "Or write to another place: --output PATH"),
        )
