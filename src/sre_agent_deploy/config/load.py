"""START HERE: load a file into a Config, or report every fault in it at once, each at its line and column.

After a value of a wrong type the rest is still checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from sre_agent_deploy.config import Fault, FieldPath, Mark, Mode, document, format_path
from sre_agent_deploy.config.document import Malformed, Plain, Scalar, Tree, duplicate_faults, parse, to_plain
from sre_agent_deploy.config.environment import Expansion, apply_overrides, read_dotenv, secret_faults
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.position import SourceFile
from sre_agent_deploy.config.section import item_model
from sre_agent_deploy.config.text_file import explain_yaml_error, find_json_fault, read_text
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Where
from sre_core.redaction import redact_line

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


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


@dataclass(frozen=True)
class Shaped:
    """The Config of the well-typed values, the faults of the others, and the paths that no rule can judge."""

    config: Config
    faults: tuple[Fault, ...]
    unjudged: frozenset[FieldPath]


def fit(data: dict[str, Plain]) -> Shaped:
    """Build a Config from everything that has the right type, and a fault from everything else."""
    faults: list[Fault] = []
    unjudged: set[FieldPath] = set()
    while True:
        try:
            return Shaped(Config.model_validate(data), tuple(faults), frozenset(unjudged))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                fault, nearest = _convert_error(detail)
                faults.append(fault)
                faults.extend(_find_unknown_within(fault.path, nearest, detail["input"]))
                unjudged.update({fault.path, nearest})
                _drop_value(data, fault.path)


def _drop_value(data: Any, path: FieldPath) -> None:
    """Remove a value of a wrong type. A list is removed as a whole, so that the numbers of its other items stay true."""
    *parents, last = path[: next((i for i, step in enumerate(path) if isinstance(step, int)), len(path))]
    for step in parents:
        data = data.get(step, {})
    data.pop(last, None)


def _convert_error(detail: ErrorDetails) -> tuple[Fault, FieldPath]:
    path: FieldPath = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return _unknown_key(path)
    why, example, correction = _explain_type(detail)
    fault = Fault(
        code="CONFIG-CHOICE" if detail["type"] == "literal_error" else "CONFIG-TYPE",
        path=path,
        what=f"{format_path(path)} can't have this value.",
        why=why,
        do=(f"Write it like this: {path[-1]}: {example}" if isinstance(path[-1], str) else f"Write it like this: {example}",),
        correction=correction,
    )
    return fault, path


def _explain_type(detail: ErrorDetails) -> tuple[str, str, str | None]:
    """Explain an error: the reason, an example, and a correction if there is only one."""
    given = detail["input"]
    match detail["type"]:
        case "literal_error":
            choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            nearest = find_nearest(given, choices) if isinstance(given, str) else None
            return f"It must be {' or '.join(choices)}.", nearest or choices[0], nearest or choices[0]
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size" | "float_parsing" | "float_type" as kind:
            return _explain_number(detail) if kind.startswith("int") else _explain_amount(given)
        case "bool_parsing" | "bool_type":
            flag = "true" if str(given).lower() in {"enabled", "enable", "active", "always"} else "false"
            return "It must be true or false.", flag, flag
        case "string_type" | "string_unicode":
            return "It must be one text, not a list or a section.", '"..."', None
        case "tuple_type":
            return _explain_list(detail)
        case _:
            return "It must be a section: `key: value` lines, indented below it.", "(a line for each field, indented)", None


def _explain_list(detail: ErrorDetails) -> tuple[str, str, str | None]:
    *above, last = detail["loc"]
    field = _find_model(tuple(above)).model_fields[str(last)]
    if section := item_model(field.annotation):
        name, first = next(iter(section.model_fields.items()))
        value = next(iter(first.examples or ()), first.default)
        return f"It must be a list of sections, such as `- {name}: {value}`.", f"[{{{name}: {value}, ...}}]", None
    return "It must be a list.", '["203.0.113.0/24"]', _suggest_list(detail["input"])


def _explain_number(detail: ErrorDetails) -> tuple[str, str, str]:
    given = detail["input"]
    digits = re.match(r"[0-9]{1,6}", given) if isinstance(given, str) else None
    number = digits[0] if digits else _find_default(detail["loc"])
    return "It must be a whole number, without a unit.", number, number


def _explain_amount(given: object) -> tuple[str, str, str | None]:
    """Explain an amount of money. A currency sign around the number is dropped, but nothing is guessed from `50,000`."""
    found = re.fullmatch(r"[$ ]*([0-9]{1,9}(?:[.][0-9]{1,2})?)[$ A-Za-z]*", given) if isinstance(given, str) else None
    return "It must be a number, without a unit or a currency sign.", found[1] if found else "50", found[1] if found else None


def _find_default(path: FieldPath) -> str:
    """Find the default of a field."""
    return str(_find_model(path[:-1]).model_fields[str(path[-1])].default)


def _suggest_list(given: object) -> str | None:
    """Suggest `["value"]` if the value is certainly no secret."""
    safe = isinstance(given, str) and re.fullmatch(r"[\w.:/-]+", given) and redact_line(given) == given
    return f'["{given}"]' if safe else None


def _find_unknown_within(path: FieldPath, nearest: FieldPath, given: Any) -> list[Fault]:
    """Find the unknown keys within a section whose own name is misspelled: both are reported at once."""
    if len(path) != 1 or path == nearest or not isinstance(given, dict):
        return []
    return [_unknown_key((*path, key), section=nearest)[0] for key in given if key not in _list_fields(str(nearest[0]))]


def _unknown_key(path: FieldPath, section: FieldPath | None = None) -> tuple[Fault, FieldPath]:
    """Build the fault of an unknown key, with the most similar key of this or another section."""
    key = str(path[-1])
    siblings = list(_find_model(path[:-1] if section is None else section).model_fields)
    home = next((section for section in Config.model_fields if key in _list_fields(section)), None)
    nearest = None if home else find_nearest(key, siblings)
    do = f"It belongs under {home}: move it there." if home else f"Choose one of: {', '.join(siblings)}"
    if nearest:
        do = f"Did you mean {nearest}?"
    fault = Fault(
        code="CONFIG-UNKNOWN-KEY",
        path=path,
        what=f"{format_path((*path[:-1], redact_line(key)))} is not a setting.",
        why="An unknown key would be ignored without a message, so it is refused.",
        do=(do, "Or remove it."),
        correction=nearest,
        at_key=True,
    )
    if home:
        return fault, (home, key)
    return fault, (*path[:-1], nearest) if nearest else path


def _find_model(path: FieldPath) -> type[BaseModel]:
    """Find the model of the section at `path`."""
    model: type[BaseModel] = Config
    for step in path:
        if isinstance(step, str):
            model = item_model(model.model_fields[step].annotation) or model
    return model


def _list_fields(section: str) -> set[str]:
    model = _find_model((section,))
    return set() if model is Config else set(model.model_fields)
