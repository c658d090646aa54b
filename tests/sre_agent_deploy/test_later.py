"""Values that AWS will choose: found in a declaration, resolved when known, kept where not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sre_agent_deploy.later import Ref, Text, decode_refs, encode_ref, refs, require_known, resolve, text
from sre_core.secret import Secret


@dataclass(frozen=True)
class Inner:
    arn: object


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    many: tuple[object, ...]


OUTER = Outer(
    "it",
    Inner(
        Text(("role/", Ref("role", "id"))),
    ),
    ("plain", Ref("pool", "id")),
)


def test_refs_are_found_at_any_depth() -> None:
    """The dependency graph sees every Ref at any depth."""
    assert refs(OUTER) == {Ref("role", "id"), Ref("pool", "id")}


def test_resolving_replaces_what_is_known_and_keeps_the_rest() -> None:
    """A plan can resolve as far as AWS has answered."""
    half = resolve(OUTER, {"role": {"id": "r-1"}})
    assert half.inner.arn == "role/r-1"
    assert half.many == ("plain", Ref("pool", "id"))
    assert not refs(resolve(half, {"pool": {"id": "p-1"}}))


def test_text_is_plain_as_soon_as_it_can_be() -> None:
    """Text without open Refs is a string, and braces that are not asked for stay."""
    assert text('{"a": "{b}"}', b="c") == '{"a": "c"}'
    assert text("{x}", x=Ref("a", "b")) == Ref("a", "b")
    assert text("{x}/{x}", x=Ref("a", "b")) == Text((Ref("a", "b"), "/", Ref("a", "b")))


def test_a_spelled_ref_is_found_again() -> None:
    """A larger document can hold Refs and give them back."""
    document = f'{{"url": "{encode_ref(Ref("gateway", "gateway_url"))}", "n": 1}}'
    assert resolve(decode_refs(document), {"gateway": {"gateway_url": "https://g/mcp"}}) == '{"url": "https://g/mcp", "n": 1}'


def test_an_open_value_is_never_sent() -> None:
    """Using a value before it is known is a fault of ours that stops at once."""
    with pytest.raises(TypeError, match=r"gateway\.id"):
        require_known(Ref("gateway", "id"))


def test_a_secret_is_never_part_of_a_text() -> None:
    """A secret can be a value of its own, and not slip into a policy, a URL or user data."""
    assert resolve(Ref("client", "secret"), {"client": {"secret": Secret("s")}}) == Secret("s")
    with pytest.raises(TypeError, match="secret"):
        resolve(Text(("x", Ref("client", "secret"))), {"client": {"secret": Secret("s")}})
