"""What may be a secret, so that no excerpt and no message shows one."""

from __future__ import annotations

import re

SECRET_KEY = re.compile(r"(secret|passw(or)?d|passphrase|token|api[-_]?key|private[-_]?key|access[-_]?key(?!.?id))s?$", re.IGNORECASE)
# Shapes that are secrets wherever they stand.
CERTAIN = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS access key IDs
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # name and password in a URL
    r"|\bsk-[\w-]{20,}|\bgh[pousr]_\w{30,}|\bxox[abpr]-[\w-]{10,}"  # model providers, GitHub, Slack
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"  # JSON Web Tokens
)
# Shapes that may be one: long runs of mixed characters, as AWS secret keys (40) and Cognito client secrets (51) are.
PERHAPS = re.compile(r"(?<![\w/+=-])(?=[\w/+=]*[0-9])(?=[\w/+=]*[A-Za-z])[A-Za-z0-9/+=]{40,}(?![\w/+=-])")
_ASSIGNED = re.compile(
    r"""(?P<key>(?<![\w:/.-])[\w-]*(secret|passw(or)?d|passphrase|token|api[-_]?key|private[-_]?key|access[-_]?key)s?["']?\s*[:=]\s*)"""
    r"""(?!(["']?(env|file|aws-secretsmanager):|["']?\$\{[A-Za-z_]\w*\}))(?P<value>[^\s#][^#,}]*)""",
    re.IGNORECASE,
)
HIDDEN = "***"


def is_secret_key(key: str) -> bool:
    """Whether a key of this name holds a secret (`client_secret`, `ANTHROPIC_API_KEY`)."""
    return SECRET_KEY.search(key) is not None


def redacted(line: str) -> str:
    """The line with everything that may be a secret replaced by ***."""
    line = _ASSIGNED.sub(lambda found: found["key"] + HIDDEN, line)
    return PERHAPS.sub(HIDDEN, CERTAIN.sub(HIDDEN, line))
