"""START HERE: load a file into a Config, or report every fault in it at once, each at its line and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sre_agent_deploy.config import document
from sre_agent_deploy.config.document import Malformed, Scalar, Tree, duplicate_faults, parse, to_plain
from sre_agent_deploy.config.environment import Expansion, apply_overrides, read_dotenv, secret_faults
from sre_agent_deploy.config.fault import Fault, FieldPath, Mark, Mode
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.position import SourceFile
from sre_agent_deploy.config.read_text import explain_yaml_error, find_json_fault, read_text
from sre_agent_deploy.config.shape import fit
from sre_core.problem import Problem, Where

SUFFIXES = (".yaml", ".yml", ".json")
# Two keys of every state file, which no configuration has.
_OF_A_STATE = {"schema", "records"}


def load(path: Path, *, environ: Mapping[str, str], mode: Mode | None) -> Config | tuple[Problem, ...]:
    """Load the configuration in `path` for `mode` (None: the mode that the file names), or list every problem in it."""
    text = read_text(path)
    return (text,) if isinstance(text, Problem) else load_text(path, text, environ=environ, mode=mode)


def load_text(
    path: Path, text: str, *, environ: Mapping[str, str], mode: Mode | None, dotenv: str | None = None
) -> Config | tuple[Problem, ...]:
    """Load as if `text` were in `path`, and `dotenv`, if it is given, in the .env file beside it."""
    page = SourceFile(str(path), text)
    tree = read_tree(path, text)
    if isinstance(tree, Fault):
        return (_other_kind(path),) if path.suffix and path.suffix.lower() not in SUFFIXES else (page.problem(tree),)
    if _list_keys(tree) >= _OF_A_STATE:
        return (_state_given(path),)
    variables, malformed = _read_variables(path.parent / ".env", dotenv)
    known = {**variables, **environ}
    judged = judge(apply_overrides(tree, known), environ=known, mode=mode)
    found = page.problems(judged.tree, judged.faults)
    if mode == "production" and to_plain(document.find_position(tree, ("mode",)).node or Scalar("", Mark(1, 1))) == "local":
        found = tuple(map(_explain_override, found))
    problems = (*malformed, *found)
    return problems or judged.config


def _explain_override(problem: Problem) -> Problem:
    """Say why a local configuration lacks what production needs."""
    if problem.code != "CONFIG-REQUIRED":
        return problem
    return replace(problem, why=f"--mode production overrides `mode: local` of the file. {problem.why}")


@dataclass(frozen=True)
class Judgement:
    """A Config, and every fault that makes it unusable. Warnings are not among them."""

    config: Config
    tree: Tree
    faults: tuple[Fault, ...]


def judge(tree: document.Mapping, *, environ: Mapping[str, str], mode: Mode | None) -> Judgement:
    """Find every fault of a document, and build a Config from the rest of it."""
    expansion = Expansion(environ)
    expanded = expansion.expand(tree)
    of_document = (*duplicate_faults(tree), *secret_faults(tree), *expansion.faults)
    data = to_plain(expanded)
    shaped = fit(_set_mode(data if isinstance(data, dict) else {}, mode))
    # A value that is already known to be wrong or missing is not judged a second time.
    unjudged = shaped.unjudged | {fault.path for fault in of_document if fault.code != "CONFIG-DUPLICATE-KEY"}
    found = _find_faults(shaped.config, ("local", "production") if ("mode",) in unjudged else (shaped.config.mode,))
    broken = [fault for fault in found if not fault.warning and not _is_within(fault.path, unjudged)]
    secret = {fault.path for fault in of_document if fault.code == "CONFIG-SECRET-IN-FILE"}
    return Judgement(shaped.config, expanded, (*of_document, *(fault for fault in shaped.faults if fault.path not in secret), *broken))


def _find_faults(config: Config, modes: Sequence[Mode]) -> list[Fault]:
    """Find what is wrong in every one of these modes: where the mode is unknown, both are possible."""
    first, *others = (list(config.faults(mode)) for mode in modes)
    elsewhere = [{(fault.code, fault.path) for fault in faults} for faults in others]
    return [fault for fault in first if all((fault.code, fault.path) in faults for faults in elsewhere)]


def _set_mode(data: dict[str, document.Plain], mode: Mode | None) -> dict[str, document.Plain]:
    """Set the mode, and what has another default in each mode: the source of the certificate, and the reasoner."""
    if mode:
        data["mode"] = mode
    chosen = 0 if data.get("mode", "production") == "production" else 1
    for section, field, values in (("tls", "source", ("files", "local_ca")), ("assistant", "reasoner", ("bedrock", "rules"))):
        if isinstance(given := data.setdefault(section, {}), dict):
            given.setdefault(field, values[chosen])
    return data


def _is_within(path: FieldPath, paths: Iterable[FieldPath]) -> bool:
    return any(path[: len(above)] == above for above in paths)


def read_tree(path: Path, text: str) -> document.Mapping | Fault:
    """Parse `text` into a document; the suffix of its file says if it is JSON or YAML."""
    is_json = path.suffix.lower() == ".json"
    if is_json and (fault := find_json_fault(text)):
        return fault
    # Outside of its strings JSON may be indented with tabs, and inside them it has none.
    tree = parse(text.replace("\t", " ") if is_json else text)
    if isinstance(tree, Malformed):
        return explain_yaml_error(tree, text)
    return tree if isinstance(tree, document.Mapping) else _no_sections(tree.mark)


def is_configuration(path: Path, text: str) -> bool:
    """Return True if a text has sections of a configuration, or a faulty one is named like a configuration."""
    tree = read_tree(path, text)
    if isinstance(tree, Fault):
        return path.suffix.lower() in SUFFIXES[:2]
    keys = _list_keys(tree)
    return not keys >= _OF_A_STATE and bool(keys & {name for name, _ in Config().sections()} or "mode" in keys)


def _list_keys(tree: document.Mapping) -> set[str]:
    return {entry.key for entry in tree.entries}


def _state_given(path: Path) -> Problem:
    return Problem(
        code="CONFIG-IS-STATE",
        what=f"{path} is the state of a deployment, not a configuration.",
        why="It records what was created. A configuration has sections such as `aws:` and `deployment:`.",
        do=(f"Pass it with --state-file: `--state-file {path}`.", "Name the configuration: `--config config.yaml`."),
        where=Where(str(path)),
    )


def _other_kind(path: Path) -> Problem:
    return Problem(
        code="CONFIG-TYPE",
        what=f"{path} is not a configuration (YAML or JSON).",
        why=f"Its name ends with {path.suffix}, and its text is neither YAML nor JSON with sections.",
        do=("Name the configuration, for example: `--config config.yaml`.", "Or begin with a template: sre-agent-deploy init"),
        where=Where(str(path)),
    )


def _no_sections(mark: Mark) -> Fault:
    return Fault(
        code="CONFIG-TYPE",
        path=(),
        what="This file is not a configuration.",
        why="It must consist of sections: `aws:`, `gateway:` and so on, with `key: value` lines below them.",
        do=("Compare it with a template: sre-agent-deploy init --output template.yaml",),
        mark=mark,
    )


def _read_variables(path: Path, text: str | Problem | None) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """Read the variables of the .env file beside the configuration, or of `text` in its place."""
    if text is None:
        text = read_text(path) if path.is_file() else ""
    if isinstance(text, Problem):
        return {}, (text,)
    variables, faults = read_dotenv(text)
    # Without an excerpt: most values in a .env file are secrets.
    return variables, tuple(SourceFile(str(path), "").problem(fault) for fault in faults)
