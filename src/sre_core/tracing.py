"""Traces: what each program does for one question, as spans of OpenTelemetry. Without an address nothing is imported, and nothing is done.

What a span says is fixed by the program: names of tools, models and sources, and numbers. Never a question, an argument, a line of a log,
a message of an error or a header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_core.otlp import Exported

VARIABLE = "SRE_TRACES"
"""The address that spans are sent to, by OTLP over HTTP: `http://127.0.0.1:4318/v1/traces`."""
RECEIVER = "127.0.0.1:4318"
"""Where a machine's CloudWatch agent receives spans, which it sends to AWS X-Ray."""
HEADER = "traceparent"
"""https://www.w3.org/TR/trace-context/. `tracestate` is for texts of other systems, which nobody here has reviewed."""

type Kind = Literal["internal", "server", "client"]
type Value = str | int | float


class Span(Protocol):
    """One step of a trace, while it lasts."""

    def note(self, name: str, value: Value) -> None:
        """Add a fact that the program itself has chosen."""
        ...


class _Untraced:
    def note(self, name: str, value: Value) -> None:
        """Add nothing: there is no trace."""


@dataclass
class _Process:
    """Where the spans of this process go."""

    exported: Exported | None = None


_process = _Process()
_UNTRACED = _Untraced()
_NOTHING: Mapping[str, Value] = {}


def start(service: str, environment: Mapping[str, str]) -> Problem | None:
    """Send the spans of this process to the address in SRE_TRACES, if there is one. Return why that is not possible."""
    address = environment.get(VARIABLE, "")
    if not address:
        return None
    try:
        from sre_core import otlp
    except ImportError as missing:
        return _no_library(str(missing.name))
    _process.exported = otlp.export(service, address, environment.get("SSL_CERT_FILE", ""))
    return None


def stop() -> None:
    """Send what is left, for a second at most, and trace nothing more."""
    exported, _process.exported = _process.exported, None
    if exported:
        exported.end()


def state() -> str:
    """Return `ok`, or `failed` where the spans of the last attempt were not accepted; nothing before the first, and without traces."""
    return _process.exported.state if _process.exported else ""


def is_on() -> bool:
    """Return True if the spans of this process are sent anywhere."""
    return _process.exported is not None


@contextmanager
def span(name: str, kind: Kind = "internal", *, parent: str | None = None, facts: Mapping[str, Value] = _NOTHING) -> Iterator[Span]:
    """Trace a step, below the one that goes on now, or below the one that `parent` (the header of a request) names.

    A `client` step is part of another one: outside of any, such as the requests of a health check, it is not traced.
    """
    if _process.exported is None or (kind == "client" and not _process.exported.is_inside()):
        yield _UNTRACED
        return
    with _process.exported.span(name, kind, parent, facts) as step:
        yield step


def headers() -> dict[str, str]:
    """Return the header by which another program continues the step that goes on now."""
    return _process.exported.headers() if _process.exported else {}


def _no_library(name: str) -> Problem:
    return Problem(
        code="TRACES-LIBRARY-MISSING",
        what="This program sends no traces.",
        why=f"{VARIABLE} is set, and the Python package {name} is not installed.",
        do=("Install it: pip install 'sre-agent[traces]'", f"Or remove {VARIABLE}; in a deployment, empty monitoring.traces."),
    )
