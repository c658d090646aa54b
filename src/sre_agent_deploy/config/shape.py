"""Convert plain values to a Config, with a fault for each value of a wrong type; the rest is still checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.fault import Fault, FieldPath, format_path
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.section import item_model
from sre_core.nearest import find_nearest
from sre_core.redaction import redact_line

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


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
                fault, meant = _convert_error(detail)
                faults.append(fault)
                faults.extend(_find_unknown_within(fault.path, meant, detail["input"]))
                unjudged.update({fault.path, meant})
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
            meant = find_nearest(given, choices) if isinstance(given, str) else None
            return f"It must be {' or '.join(choices)}.", meant or choices[0], meant or choices[0]
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


def _find_unknown_within(path: FieldPath, meant: FieldPath, given: Any) -> list[Fault]:
    """Find the unknown keys within a section whose own name is misspelled: both are reported at once."""
    if len(path) != 1 or path == meant or not isinstance(given, dict):
        return []
    return [_unknown_key((*path, key), section=meant)[0] for key in given if key not in _list_fields(str(meant[0]))]


def _unknown_key(path: FieldPath, section: FieldPath | None = None) -> tuple[Fault, FieldPath]:
    """Build the fault of an unknown key, with the most similar key of this or another section."""
    key = str(path[-1])
    siblings = list(_find_model(path[:-1] if section is None else section).model_fields)
    home = next((section for section in Config.model_fields if key in _list_fields(section)), None)
    meant = None if home else find_nearest(key, siblings)
    do = f"It belongs under {home}: move it there." if home else f"Choose one of: {', '.join(siblings)}"
    if meant:
        do = f"Did you mean {meant}?"
    fault = Fault(
        code="CONFIG-UNKNOWN-KEY",
        path=path,
        what=f"{format_path((*path[:-1], redact_line(key)))} is not a setting.",
        why="An unknown key would be ignored without a message, so it is refused.",
        do=(do, "Or remove it."),
        correction=meant,
        at_key=True,
    )
    if home:
        return fault, (home, key)
    return fault, (*path[:-1], meant) if meant else path


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
