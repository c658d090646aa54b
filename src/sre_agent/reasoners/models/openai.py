"""Models of OpenAI, and of every endpoint that is compatible with its chat completions: Ollama, vLLM, a company's proxy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sre_agent import transport
from sre_agent.reasoners.models.reasoner import ModelReasoner
from sre_agent.reasoners.models.settings import ModelSettings, no_key, no_model, read_settings
from sre_core.problem import Refused

if TYPE_CHECKING:
    from pydantic_ai import ModelSettings as RequestSettings
    from pydantic_ai.models import Model

KEY = "OPENAI_API_KEY"


def create(environment: Mapping[str, str]) -> ModelReasoner:
    """Create the reasoner. OpenAI itself needs a key; an endpoint of your own may need none."""
    settings = read_settings(environment, model="", key_variable=KEY)
    if not settings.model:
        raise Refused(no_model("SRE_MODEL"))
    if settings.key is None and not settings.url:
        raise Refused(no_key(KEY))
    return ModelReasoner("openai", settings, _connect)


@asynccontextmanager
async def _connect(given: ModelSettings) -> AsyncGenerator[tuple[Model, RequestSettings]]:
    from openai import AsyncOpenAI
    from pydantic_ai import ModelSettings as RequestSettings
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with transport.create_client(seconds=given.budget.seconds) as http:
        key = given.key.reveal() if given.key else "none"
        client = AsyncOpenAI(api_key=key, base_url=given.url or None, http_client=http, max_retries=1, timeout=given.budget.seconds)
        provider = OpenAIProvider(openai_client=client)
        first, *others = [OpenAIChatModel(name, provider=provider) for name in (given.model, given.fallback) if name]
        # OpenAI and vLLM cache prompts by themselves.
        yield (FallbackModel(first, *others) if others else first), RequestSettings(max_tokens=4096)
