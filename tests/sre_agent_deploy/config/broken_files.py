"""The corpus of broken configurations, and the answer to each."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_core.problem import Problem

BROKEN = Path(__file__).parent / "broken"
ENVIRON = {"AWS_REGION": "us-east-1", "HOME": "/home/alice"}


def broken_files() -> list[Path]:
    return sorted(path for path in BROKEN.iterdir() if path.suffix in {".yaml", ".json"})


def problems(path: Path) -> tuple[Problem, ...]:
    """All that is wrong with a file; a Config means that nothing is."""
    loaded = load(path, environ=ENVIRON, mode=None)
    return () if isinstance(loaded, Config) else loaded


def answer(found: tuple[Problem, ...]) -> str:
    """The problems as a terminal shows them, without this machine's folders."""
    return "\n\n".join(map(str, found)).replace(f"{BROKEN}/", "") + "\n"


def expected(path: Path) -> Path:
    return path.with_name(path.name + ".expected")
