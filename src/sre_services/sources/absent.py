"""The provider of a service for which the user has no system: it answers nothing, and says so."""

from __future__ import annotations

from typing import NoReturn

from sre_services.sources.settings import Settings


class NoSource(Exception):
    """Raised when a service is asked that has no source."""


class Absent:
    """Has nothing: the first request of an operation ends the operation."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or name == "check":
            raise AttributeError(name)
        raise NoSource


def open_provider(settings: Settings) -> Absent:
    """Open the provider that answers nothing."""
    return Absent()
