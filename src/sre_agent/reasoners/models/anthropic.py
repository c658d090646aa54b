"""Models of Anthropic, by its own API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sre_agent import transport
from sre_agent.reasoners.models.reasoner import ModelReasoner
from sre_agent.reasoners.models.settings import ModelSettings, no_key, read_settings
from sre_core.problem import Refused

if TYPE_CHECKING:
    from pydantic_ai import ModelSettings as RequestSettings
    from pydantic_ai.models import Model

MODEL = "claude-sonnet-4-6"
KEY = "ANTHROPIC_API_KEY"


def create(environment: Mapping[str, str]) -> ModelReasoner:
    """Create the reasoner; it needs a key."""
    settings = read_settings(environment, model=MODEL, key_variable=KEY)
    if settings.key is None:
        raise Refused(no_key(KEY))
    return ModelReasoner("anthropic", settings, _connect)


@asynccontextmanager
async def _connect(given: ModelSettings) -> AsyncGenerator[tuple[Model, RequestSettings]]:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    async with transport.create_client(seconds=given.budget.seconds) as http:
        key = given.key.reveal() if given.key else ""
        client = AsyncAnthropic(api_key=key, base_url=given.url or None, http_client=http, max_retries=1, timeout=given.budget.seconds)
        provider = AnthropicProvider(anthropic_client=client)
        first, *others = [AnthropicModel(name, provider=provider) for name in (given.model, given.fallback) if name]
        caching = AnthropicModelSettings(
            max_tokens=4096, anthropic_cache_instructions=True, anthropic_cache_tool_definitions=True, anthropic_cache_messages=True
        )
        yield (FallbackModel(first, *others) if others else first), caching
