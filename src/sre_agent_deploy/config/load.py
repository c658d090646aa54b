"""From a file to a Config, or to every fault in it at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sre_agent_deploy.config.document import Tree, mark_of, plain
from sre_agent_deploy.config.fault import Mode, dotted
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.parse import Malformed, parse
from sre_core.problem import Problem, Where


def load(path: Path, *, environ: Mapping[str, str], mode: Mode | None) -> Config | tuple[Problem, ...]:
    """The configuration in `path` for `mode` (None: the one the file names), or all that is wrong with it."""
    from pydantic import ValidationError

    try:
        text = path.read_text(encoding="utf-8")
        tree = parse(text)
    except OSError as error:
        return (Problem(code="CONFIG-FILE-MISSING", what=f"{path} can't be read.", why=str(error.strerror), do=("Check the path.",)),)
    except Malformed as error:
        where = Where(str(path), error.mark.line, error.mark.column)
        return (Problem(code="CONFIG-SYNTAX", what=f"{path} is not valid YAML.", why=error.what, do=("Correct this line.",), where=where),)
    data = plain(tree)
    if isinstance(data, dict) and mode:
        data["mode"] = mode
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        return tuple(_problem(path, tree, fault["loc"], fault["msg"]) for fault in error.errors())


def _problem(path: Path, tree: Tree, loc: tuple[str | int, ...], why: str) -> Problem:
    mark = mark_of(tree, loc)
    return Problem(
        code="CONFIG-VALUE",
        what=f"{dotted(loc)} can't be used.",
        why=why,
        do=("Correct this value.",),
        where=Where(str(path), mark.line, mark.column),
    )
