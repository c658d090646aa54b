"""Match the patterns of IAM policies: wildcards, and variables for a request's own values (pure).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

type Keys = Mapping[str, str | tuple[str, ...]]
"""The condition keys of a request, in lower case. For a pattern, None means that its policy is too old to have variables."""

_WILDCARD_OR_VARIABLE = re.compile(r"(\$\{[^}]*\}|[*?])")
_DEFAULT = re.compile(r"(.*), '(.*)'", re.DOTALL)
# How these characters are written where they must not be wildcards.
_LITERALS = frozenset("*?$")
_NOTHING = re.compile("(?!)")
# The parts of an ARN before the name of the resource, which may have colons itself.
_PARTS = 5


def is_like(pattern: str, text: str, keys: Keys | None = None) -> bool:
    """Match wildcards and variables. A variable without a value is like nothing."""
    return _compile(pattern, keys, in_arn=False).fullmatch(text) is not None


def is_resource(pattern: str, resource: str, keys: Keys | None = None) -> bool:
    """Match an ARN: a wildcard is for characters of one part, but at the end of a part for all that follows, too.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    return _compile(pattern, keys, in_arn=True).fullmatch(resource) is not None


def is_arn(pattern: str, arn: str, keys: Keys | None = None) -> bool:
    """Match an ARN as conditions do: each of its six parts by itself."""
    patterns, parts = pattern.split(":", _PARTS), arn.split(":", _PARTS)
    return len(patterns) == len(parts) == _PARTS + 1 and all(is_like(*pair, keys) for pair in zip(patterns, parts, strict=True))


def fill_in(text: str, keys: Keys | None) -> str | None:
    """Replace the variables of a text in which wildcards mean nothing; None where one has no value."""
    if keys is None or "${" not in text:
        return text
    tokens = list(_read_tokens(text, keys))
    return None if None in tokens else "".join(token for _, token in filter(None, tokens))


def _read_tokens(pattern: str, keys: Keys | None) -> Iterator[tuple[bool, str] | None]:
    """Read wildcards (True) and literal text (False); a variable without a value is None."""
    for index, part in enumerate(_WILDCARD_OR_VARIABLE.split(pattern)):
        if index % 2 and len(part) == 1:
            yield True, part
        elif index % 2 and keys is not None:
            value = _find_value(part[2:-1], keys)
            yield None if value is None else (False, value)
        elif part:
            yield False, part


def _find_value(name: str, keys: Keys) -> str | None:
    """Return the value of a variable, or its default; None where it has neither. A key of several values is no variable."""
    if name in _LITERALS:
        return name
    with_default = _DEFAULT.fullmatch(name)
    value = keys.get((with_default[1] if with_default else name).strip().lower())
    return value if isinstance(value, str) and value else with_default[2] if with_default else None


def _compile(pattern: str, keys: Keys | None, *, in_arn: bool) -> re.Pattern[str]:
    if keys is None or "${" not in pattern:
        return _compile_once(pattern, in_arn)
    tokens = list(_read_tokens(pattern, keys))
    return _NOTHING if None in tokens else _translate(filter(None, tokens), in_arn=in_arn)


@lru_cache(maxsize=4096)
def _compile_once(pattern: str, in_arn: bool) -> re.Pattern[str]:
    """Compile a pattern once: every request is matched with all patterns of its caller's policies, half of what the local AWS computed."""
    return _translate(filter(None, _read_tokens(pattern, None)), in_arn=in_arn)


def _translate(tokens: Iterable[tuple[bool, str]], *, in_arn: bool) -> re.Pattern[str]:
    colons, regex = 0, ""
    for (wildcard, text), (_, following) in pairwise((*tokens, (False, ":"))):
        if not wildcard:
            regex += re.escape(text)
            colons += text.count(":")
        else:
            within = in_arn and colons < _PARTS and not (text == "*" and following.startswith(":"))
            regex += ("[^:]" if within else ".") + ("*" if text == "*" else "")
    return re.compile(regex, re.DOTALL)
