"""The deployment's id: the same configuration is the same deployment on any machine (pure)."""

from __future__ import annotations

import hashlib

PATTERN = r"sre-[0-9a-f]{10}"
"""What no other id looks like: whatever else a tag says, this tool did not make it."""


def deployment_id(account_id: str, region: str, name: str) -> str:
    """`sre-` and ten hexadecimal digits, from the account, the region and the configured name."""
    return f"sre-{hashlib.sha256(f'{account_id}/{region}/{name}'.encode()).hexdigest()[:10]}"
