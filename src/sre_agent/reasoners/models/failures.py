"""Explain in a report why a language model gave no answer."""

from __future__ import annotations

from pydantic_ai import exceptions

from sre_agent.reasoners.models.settings import Budget
from sre_core.redaction import redact

LONGEST = 200


_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (exceptions.ModelRateLimitError, "its provider throttles{status}"),
    (exceptions.ModelQuotaExceededError, "its provider has no quota left{status}"),
    (exceptions.ModelAuthenticationError, "its provider refuses access{status}"),
    (exceptions.ModelConnectionError, "its provider can't be reached"),
    (exceptions.ModelAPIError, "its provider answered with an error{status}"),
    (TimeoutError, "it did not finish within {seconds:g} s"),
    (exceptions.UsageLimitExceeded, "it used up its budget ({limit})"),
    (exceptions.UnexpectedModelBehavior, "its answer had no form that can be used"),
)


def explain(error: BaseException, budget: Budget) -> str:
    """Explain an error. An answer of a provider is left out: it may repeat what was sent."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(explain(each, budget) for each in error.exceptions))
    words = next((words for kind, words in _KINDS if isinstance(error, kind)), "")
    if words:
        return words.format(status=_status(error), seconds=budget.seconds, limit=_limit(str(error)))
    return redact(f"{type(error).__name__}: {error}")[:LONGEST]


def _limit(message: str) -> str:
    for name, words in (("request_limit", "requests"), ("tool_calls", "calls of tools"), ("token", "tokens"), ("cost", "dollars")):
        if name in message:
            return words
    return "limits"


def _status(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    code = getattr(error, "provider_error_code", None)
    found = " ".join(str(part) for part in (status, code) if part)
    return f" ({found})" if found else ""
