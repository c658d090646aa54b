"""Every declaration of a resource that AWS accepts, as Hypothesis draws it: from the types of its fields and AWS's limits."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from sre_agent_deploy.resources.policy_document import Statement

from .parents import Parents

type Drawn = st.SearchStrategy[Any]
type Choices = Mapping[str | tuple[str, ...], Drawn]
"""What a field may be. Several fields whose values depend on one another have one entry, of tuples."""
type Choose = Callable[[Parents], Choices]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CAPITALS = LETTERS.upper()
DIGITS = "0123456789"
NAMES = LETTERS + CAPITALS + DIGITS
# Of a text with spaces at its ends or of nothing else, AWS keeps more or less than it gets.
WORDS = st.text(NAMES + " :-_.,/%&<>{}$\\'\"#äöüß", min_size=1, max_size=60).map(str.strip).filter(bool)
TAGS = st.dictionaries(
    st.text(NAMES + " +-=._:/@", min_size=1, max_size=128).filter(lambda key: not key.lower().startswith(("aws:", "sre-agent:"))),
    st.text(NAMES + " +-=._:/@", max_size=256),
    max_size=6,
)
"""Tags as a configuration may have them."""


@cache
def declarations(kind: type[Any], parents: Parents, choose: Choose) -> Drawn:
    """Draw declarations of this kind. A field that has no choice of its own has a parent by its name, or values by its type."""
    own, hints = choose(parents), typing.get_type_hints(kind)
    chosen = {name for names in own for name in ((names,) if isinstance(names, str) else names)}
    left = [field for field in dataclasses.fields(kind) if field.name not in chosen]
    others: Choices = {field.name: _choose(kind, field, hints[field.name], parents) for field in left}
    return st.fixed_dictionaries({**others, **own}).map(lambda drawn: kind(**dict(_assignments(drawn))))


def _assignments(drawn: Mapping[Any, Any]) -> Any:
    for names, value in drawn.items():
        yield from zip(names, value, strict=True) if isinstance(names, tuple) else ((names, value),)


def _choose(kind: type[Any], field: Any, hint: Any, parents: Parents) -> Drawn:
    if field.name == "name":
        return st.just("it")
    if field.name in getattr(kind, "EXEMPT", {}) or field.name in kind.UNSEEN:
        return st.just(field.default)
    if field.name in parents.named:
        return st.sampled_from(parents.named[field.name])
    if hint is bool:
        return st.booleans()
    if field.name == "description":
        return WORDS
    raise TypeError(f"choose values of {kind.__name__}.{field.name}")


def named(parents: Parents, letters: str, most: int, before: str = "", last: str = NAMES) -> Drawn:
    """Draw names that begin with the deployment's id, as long as AWS takes them."""
    start = before + parents.deployment
    longer = st.builds("{}-{}{}".format, st.just(start), st.text(letters, max_size=most - len(start) - 2), st.sampled_from(last))
    return st.one_of(st.just(start), longer)


def some(values: Any, least: int = 0, most: int = 5) -> Drawn:
    """Draw a few different ones, in any order."""
    drawn = values if isinstance(values, st.SearchStrategy) else st.sampled_from(values)
    return st.lists(drawn, min_size=least, max_size=most, unique_by=repr).map(tuple)


CONDITIONS = st.sampled_from(
    (
        {},
        {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}, "Bool": {"aws:SecureTransport": "true"}},
        {"StringEquals": {"aws:RequestedRegion": ("us-east-1", "eu-west-1")}},
    )
)
STATEMENTS = st.lists(
    st.builds(
        Statement,
        st.text(NAMES, min_size=1, max_size=30),
        some(("s3:GetObject", "s3:PutObject", "kms:Decrypt", "ssm:Get*", "logs:PutLogEvents"), 1),
        some(st.builds("arn:aws:s3:::{}/*".format, st.text(LETTERS, min_size=3, max_size=20)), 1, 3),
        CONDITIONS,
    ),
    max_size=4,
    unique_by=lambda statement: statement.sid,
).map(tuple)
