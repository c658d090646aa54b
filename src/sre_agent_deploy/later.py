"""Values that AWS will choose: how a declaration speaks of them before they are known, and how they are filled in (pure)."""

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
    """`template` with each `{name}` replaced; plain text where all values are known. Other braces stay as they are."""
    parts: list[str | Ref] = [template]
    for name, value in values.items():
        parts = [piece for part in parts for piece in (_spliced(part, "{" + name + "}", value) if isinstance(part, str) else (part,))]
    return _joined(parts)


def encode_ref(ref: Ref) -> str:
    """Write a Ref as text, for use inside a larger document until `decode_refs` finds it again."""
    return f"⟦{ref.of}.{ref.output}⟧"


def decode_refs(document: str) -> LaterText:
    """Turn every encoded Ref inside a document into a Ref again."""
    pieces = re.split("⟦([^.⟧]+)[.]([^⟧]+)⟧", document)
    parts: list[str | Ref] = [pieces[0]]
    for of, output, tail in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        parts += [Ref(of, output), tail]
    return _joined(parts)


def _spliced(part: str, marker: str, value: LaterText) -> Iterator[str | Ref]:
    inside = value.parts if isinstance(value, Text) else (value,)
    head, *rest = part.split(marker)
    yield head
    for tail in rest:
        yield from inside
        yield tail


def _joined(parts: list[str | Ref]) -> LaterText:
    merged: list[str | Ref] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if len(merged) == 1:
        return merged[0]
    return Text(tuple(merged)) if merged else ""


def known(value: LaterText) -> str:
    """The text of a value whose Refs are resolved. Raises TypeError on one that is still open: a bug in the walk's order."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{value} is not known yet")


def refs(value: Any) -> frozenset[Ref]:
    """Every Ref inside a resource, a mapping or a tuple: the edges of the dependency graph."""
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
    """The same value with every Ref replaced that `outputs` knows; the others stay."""
    return _resolved(value, outputs)  # type: ignore[no-any-return]


def _resolved(value: Any, outputs: Mapping[str, Outputs]) -> Any:
    if isinstance(value, Ref):
        return outputs.get(value.of, NO_OUTPUTS).get(value.output, value)
    if isinstance(value, Text):
        return _joined([part for piece in value.parts for part in _pieces(_resolved(piece, outputs))])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{f.name: _resolved(getattr(value, f.name), outputs) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return MappingProxyType({key: _resolved(item, outputs) for key, item in value.items()})
    return tuple(_resolved(item, outputs) for item in value) if isinstance(value, tuple) else value


def _pieces(value: Any) -> tuple[str | Ref, ...]:
    if isinstance(value, Secret):
        raise TypeError("a secret can't be part of a text")
    return value.parts if isinstance(value, Text) else (value,)
