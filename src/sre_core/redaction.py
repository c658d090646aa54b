"""Find secrets in text and hide them: in a configuration, in what tools answer, in the settings of a workload.

These are the only patterns for secrets in this repository. A kind of token that is added here is hidden everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

HIDDEN = "***"

# Names that hold a secret, also as the end of a longer name (`DB_PASSWORD`). The ID of an access key is none.
_NAME = r"secret|passw(?:or)?d|passphrase|pwd|token|api[-_]?key|private[-_]?key|access[-_]?key(?![-_. ]?id)"
_TOKENS = (
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS access key IDs
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?:-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))?",
    r"\beyJ[\w-]{8,2000}\.[\w-]{4,}(?:\.[\w-]*)?",  # JSON Web Tokens
    r"\bsk-(?:(?:ant|proj)-[\w-]{16,}|[\w-]{20,})|\bsk_(?:live|test)_\w{10,}|\bAIza[\w-]{30,}",  # model providers, Stripe, Google
    r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeoprs]-[\w-]{10,}",  # GitHub, GitLab, Slack
)
_IN_URL = r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # in a URL

CERTAIN_SECRET = re.compile("|".join((*_TOKENS, _IN_URL)))
"""Shapes that are a secret wherever they are."""
POSSIBLE_SECRET = re.compile(r"(?<![\w/+=-])(?=[\w/+=]*[0-9])(?=[\w/+=]*[A-Za-z])[A-Za-z0-9/+=]{40,}(?![\w/+=-])")
"""Long runs of mixed characters, as AWS secret keys (40) and Cognito client secrets (51) are; checksums look the same."""

_SECRET_NAME = re.compile(rf"(?:{_NAME})s?$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Say whether a field or variable of this name holds a secret (`client_secret`, `ANTHROPIC_API_KEY`)."""
    return _SECRET_NAME.search(name) is not None


# A line of a configuration: everything behind a secret's name is its value, except a reference to where the secret is kept.
_ASSIGNED_IN_LINE = re.compile(
    rf"""(?P<key>(?<![\w:/.-])[\w-]*(?:{_NAME})s?["']?\s*[:=]\s*)"""
    r"""(?!(?:["']?(?:env|file|aws-secretsmanager):|["']?\$\{[A-Za-z_]\w*\}))(?P<value>[^\s#][^#,}]*)""",
    re.IGNORECASE,
)

NOTED_SECRET = re.compile(
    rf"(?P<key>(?<![\w:])[\w./-]*(?:{_NAME})s?[\"']?\s*[:=]\s*)(?P<value>\S+)\s*$",
    re.IGNORECASE,
)
"""A secret in a comment: `# password: hunter2`. Neither `# the token: rotate it monthly` nor `arn:...:secret:name` is one."""


def redact_line(line: str) -> str:
    """Hide everything in a configuration's line that may be a secret."""
    line = _ASSIGNED_IN_LINE.sub(lambda found: found["key"] + HIDDEN, line)
    return POSSIBLE_SECRET.sub(HIDDEN, CERTAIN_SECRET.sub(HIDDEN, line))


# Text from outside: a sensitive word, then = or :, then one word (`password=hunter2`, `"api_key": "…"`, `token: abc`).
# An attacker may have written it, so no repeat is without a bound: one long line must not hold up an investigation.
_ASSIGNED = re.compile(
    rf"(?P<name>(?:{_NAME}|access[-_]?key[-_]?id|credential)[\w-]{{0,60}})"
    # A quote within JSON within JSON has backslashes before it.
    r"(?P<sign>\\{0,8}[\"']?\s*(?:=|:(?!//))\s*)(?P<quote>\\{0,8}[\"']?)(?P<value>(?!\*\*\*)[^\s\"',;&}]{3,})",
    re.IGNORECASE,
)
# An option and its value as two arguments of a command: `["--password", "hunter2"]`. A value may begin with a dash; `--verbose` is none.
_OPTION = re.compile(
    rf"(?P<name>--[\w-]{{0,60}}(?:{_NAME}))(?P<sign>\\{{0,8}}[\"']\s{{0,8}},\s{{0,8}}\\{{0,8}}[\"'])"
    r"(?P<value>(?!\*\*\*|(?-i:--?[a-z-]+)\\{0,8}[\"'=])[^\"']{3,})",
    re.IGNORECASE,
)
_NAME_IN_ANSWERS = re.compile(rf"(?:{_NAME}|pass|access[-_]?key[-_]?id|credentials?|authorization|cookie)$", re.IGNORECASE)
_CERTAIN_IN_ANSWERS = re.compile(rf"{CERTAIN_SECRET.pattern}|\b(?:AROA|AIDA)[A-Z0-9]{{16}}\b")  # AWS principal IDs as well
_AUTHORIZATION = re.compile(r"\b(?P<scheme>Bearer|Basic)\s+(?P<value>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,}\b")
_WORTH_A_LOOK = re.compile(
    r"@|=|:|--|eyJ|-----|AKIA|ASIA|AROA|AIDA|gh[pousr]_|github_pat|glpat|xox|sk[-_]|AIza|bearer|basic", re.IGNORECASE
)


# Texts in which nothing was hidden, so that the same answer is not searched again. A text with a secret is never kept.
_CLEAN, _CLEAN_OF_SECRETS = set[str](), set[str]()
_MOST_CLEAN, _LONGEST_CLEAN = 8_192, 400


def redact(text: str) -> str:
    """Hide secrets, keys, tokens and e-mail addresses in a text from outside. Redacting twice changes nothing more."""
    return _redact_once(text, _redact_all, _CLEAN)


def redact_secrets(text: str) -> str:
    """Hide secrets, keys and tokens in a text from outside, and leave e-mail addresses: a runbook names whom to write to."""
    return _redact_once(text, _redact_secrets, _CLEAN_OF_SECRETS)


def _redact_once(text: str, hide: Callable[[str], str], clean: set[str]) -> str:
    if text in clean:
        return text
    hidden = hide(text) if _WORTH_A_LOOK.search(text) else text
    if hidden == text and len(text) <= _LONGEST_CLEAN:
        if len(clean) >= _MOST_CLEAN:
            clean.clear()
        clean.add(text)
    return hidden


def _redact_all(text: str) -> str:
    return _EMAIL.sub(HIDDEN, _redact_secrets(text))


def _redact_secrets(text: str) -> str:
    text = _CERTAIN_IN_ANSWERS.sub(HIDDEN, text)
    text = _AUTHORIZATION.sub(lambda found: f"{found['scheme']} {HIDDEN}", text)
    return _redact_assigned(text)


def _redact_assigned(text: str) -> str:
    text = _OPTION.sub(lambda found: f"{found['name']}{found['sign']}{HIDDEN}", text)
    return _ASSIGNED.sub(lambda found: f"{found['name']}{found['sign']}{found['quote']}{HIDDEN}", text)


def redact_tree(value: object, *, sensitive: bool = False) -> object:
    """Redact every text of a JSON value; a text under a sensitive name is hidden as a whole."""
    if isinstance(value, str):
        return HIDDEN if sensitive and value else redact(value)
    if isinstance(value, list):
        return [redact_tree(item, sensitive=sensitive) for item in value]
    if isinstance(value, dict):
        return {str(key): redact_tree(item, sensitive=_is_sensitive(str(key), value)) for key, item in value.items()}
    return value


def _is_sensitive(key: str, siblings: dict[object, object]) -> bool:
    """Say whether the value of `key` is a secret: by its own name, or as the value of an environment entry of such a name."""
    return _names_secret(str(siblings.get("name", "")) if key == "value" else key)


@lru_cache(1_024)
def _names_secret(name: str) -> bool:
    return _NAME_IN_ANSWERS.search(name) is not None


# The settings of a workload: here a secret's name may be anywhere in a path, and the user in a URL helps to diagnose.
_NAME_IN_SETTINGS = re.compile(rf"{_NAME}|pass|private|credential", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(://[^/:@\s]*:)[^@/\s]+@")
_TOKEN = re.compile("|".join(_TOKENS))


def redact_setting(name: str, value: str) -> str:
    """Hide the value of a workload's setting if its name suggests a secret, otherwise only the secrets within it."""
    if value and _NAME_IN_SETTINGS.search(name):
        return HIDDEN
    return _redact_assigned(_TOKEN.sub(HIDDEN, _PASSWORD_IN_URL.sub(rf"\1{HIDDEN}@", value)))
