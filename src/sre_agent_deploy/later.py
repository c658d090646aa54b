"""Values that AWS will choose: references to them, and filling them in once they are known (pure)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sre_core.secret import Secret

type Outputs = Mapping[str, str | Secret]
NO_OUTPUTS: Outputs = MappingProxyType({})


@dataclass(frozen=True)
class Ref:
    """A value AWS will choose: `Ref("gateway", "gateway_id")` is the `gateway_id` output of the resource `gateway`."""

    of: str
    output: str

    def __str__(self) -> str:
        return f"<{self.of}.{self.output}>"


@dataclass(frozen=True)
class Text:
    """Text with Refs inside, such as a policy that names an ARN not known yet."""

    parts: tuple[str | Ref, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


ACCOUNT = "account"
"""The `of` of values that only an account knows, such as its VPC. Guides and templates have them; a plan never does."""
PARTITION = Ref(ACCOUNT, "partition")

type Later[T] = T | Ref
type LaterText = str | Ref | Text


def text(template: str, **values: LaterText) -> LaterText:
    """Replace each `{name}` of a template; the result is plain text if all values are known. Other braces stay as they are."""
    parts: list[str | Ref] = [template]
    for name, value in values.items():
        parts = [piece for part in parts for piece in (_splice(part, "{" + name + "}", value) if isinstance(part, str) else (part,))]
    return _join(parts)


def encode_ref(ref: Ref) -> str:
    """Write a Ref as text, for use inside a larger document until `decode_refs` finds it again."""
    return f"⟦{ref.of}.{ref.output}⟧"


def decode_refs(document: str) -> LaterText:
    """Turn every encoded Ref inside a document into a Ref again."""
    pieces = re.split("⟦([^.⟧]+)[.]([^⟧]+)⟧", document)
    parts: list[str | Ref] = [pieces[0]]
    for of, output, tail in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        parts += [Ref(of, output), tail]
    return _join(parts)


def _splice(part: str, marker: str, value: LaterText) -> Iterator[str | Ref]:
    inside = value.parts if isinstance(value, Text) else (value,)
    head, *rest = part.split(marker)
    yield head
    for tail in rest:
        yield from inside
        yield tail


def _join(parts: list[str | Ref]) -> LaterText:
    merged: list[str | Ref] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if len(merged) == 1:
        return merged[0]
    return Text(tuple(merged)) if merged else ""


def require_known(value: LaterText) -> str:
    """Answer the text of a value whose Refs are resolved. Raises TypeError on an open Ref: a bug in the order of the walk."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{value} is not known yet")


def refs(value: Any) -> frozenset[Ref]:
    """Collect every Ref inside a resource, a mapping or a tuple: the edges of the dependency graph."""
    if isinstance(value, Ref):
        return frozenset({value})
    if isinstance(value, Text):
        return frozenset(part for part in value.parts if isinstance(part, Ref))
    return frozenset().union(*map(refs, _children(value)))


def _children(value: Any) -> tuple[Any, ...]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(getattr(value, f.name) for f in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return tuple(value.values())
    return tuple(value) if isinstance(value, tuple | frozenset) else ()


def resolve[R](value: R, outputs: Mapping[str, Outputs]) -> R:
    """Replace every Ref that `outputs` has a value for; the others stay."""
    return _resolve(value, outputs)  # type: ignore[no-any-return]


def _resolve(value: Any, outputs: Mapping[str, Outputs]) -> Any:
    if isinstance(value, Ref):
        return outputs.get(value.of, NO_OUTPUTS).get(value.output, value)
    if isinstance(value, Text):
        return _join([part for piece in value.parts for part in _parts_of(_resolve(piece, outputs))])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{f.name: _resolve(getattr(value, f.name), outputs) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return MappingProxyType({key: _resolve(item, outputs) for key, item in value.items()})
    return tuple(_resolve(item, outputs) for item in value) if isinstance(value, tuple) else value


def _parts_of(value: Any) -> tuple[str | Ref, ...]:
    if isinstance(value, Secret):
        raise TypeError("a secret can't be part of a text")
    return value.parts if isinstance(value, Text) else (value,)
