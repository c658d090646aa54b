"""MCP sessions of one gateway, kept only where its owner configured a session timeout."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sre_core import clock


class Sessions:
    """Which session ids are alive; one that is not used for the timeout ends."""

    def __init__(self) -> None:
        self._expiry: dict[str, datetime] = {}

    def begin(self, timeout: timedelta) -> str:
        """A new session's id."""
        now = clock.now()
        self._expiry = {name: end for name, end in self._expiry.items() if end > now}
        name = secrets.token_urlsafe(24)
        self._expiry[name] = now + timeout
        return name

    def goes_on(self, name: str, timeout: timedelta) -> bool:
        """Whether this session is alive; being asked for keeps it so."""
        alive = self._expiry.get(name)
        if alive is None or alive <= clock.now():
            return False
        self._expiry[name] = clock.now() + timeout
        return True

    def end(self, name: str) -> bool:
        """End a session; whether there was one."""
        return self._expiry.pop(name, None) is not None
