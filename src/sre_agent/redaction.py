"""Secrets and personal addresses leave the text before a model, a report or a person sees it."""

from __future__ import annotations

import re

HIDDEN = "[redacted]"

_SENSITIVE_NAME = re.compile(
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|credentials?|authorization|cookie)$",
    re.I,
)
# Text comes from strangers, and repeats without a bound would let one long line hold up every investigation for minutes.
# A sensitive word, then = or :, then its value: `password=hunter2`, `"api_key": "…"`, `token: abc`.
_ASSIGNMENT = re.compile(
    r"(?P<name>(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w-]{0,60})"
    r"(?P<sign>[\"']?\s*(?:=|:(?!//))\s*)(?P<quote>[\"']?)(?P<value>(?!\[redacted\])[^\s\"',;&}]{3,})",
    re.I,
)
_WHOLE = re.compile(
    "|".join(
        (
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            r"\beyJ[\w-]{8,2000}\.[\w-]{4,}(?:\.[\w-]*)?",  # JSON Web Tokens
            r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b",  # AWS key and principal ids
            r"\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_\w{20,}\b|\bglpat-[\w-]{16,}\b",
            r"\bxox[abeoprs]-[\w-]{10,}\b",
            r"\bsk-(?:ant-|proj-)?[\w-]{16,}\b|\bsk_(?:live|test)_\w{10,}\b",
            r"\bAIza[\w-]{30,}\b",
        )
    )
)
_BEARER = re.compile(r"\b(?P<scheme>Bearer|Basic)\s+(?P<value>[A-Za-z0-9._~+/=-]{8,})", re.I)
_USERINFO = re.compile(r"(?P<scheme>(?<=[a-z0-9+.-])://)[^\s/@:]*:[^\s/@]+@", re.I)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,}\b")
_WORTH_A_LOOK = re.compile(r"@|=|:|eyJ|-----|AKIA|ASIA|AROA|AIDA|gh[pousr]_|github_pat|glpat|xox|sk[-_]|AIza|bearer|basic", re.I)


def redact(text: str) -> str:
    """The same text without secrets, keys, tokens and e-mail addresses. Redacting twice changes nothing more."""
    if not _WORTH_A_LOOK.search(text):
        return text
    text = _WHOLE.sub(HIDDEN, text)
    text = _BEARER.sub(lambda found: f"{found['scheme']} {HIDDEN}", text)
    text = _USERINFO.sub(lambda found: f"{found['scheme']}{HIDDEN}@", text)
    text = _ASSIGNMENT.sub(lambda found: f"{found['name']}{found['sign']}{found['quote']}{HIDDEN}", text)
    return _EMAIL.sub(HIDDEN, text)


def redact_tree(value: object, *, sensitive: bool = False) -> object:
    """A JSON value with every text in it redacted; texts under a sensitive name are hidden whole."""
    if isinstance(value, str):
        return HIDDEN if sensitive and value else redact(value)
    if isinstance(value, list):
        return [redact_tree(item, sensitive=sensitive) for item in value]
    if isinstance(value, dict):
        return {str(key): redact_tree(item, sensitive=_hides(str(key), value)) for key, item in value.items()}
    return value


def _hides(key: str, siblings: dict[object, object]) -> bool:
    """Whether `key`'s value is a secret: by its own name, or as the value of an environment entry of such a name."""
    if key == "value":
        return bool(_SENSITIVE_NAME.search(str(siblings.get("name", ""))))
    return bool(_SENSITIVE_NAME.search(key))
