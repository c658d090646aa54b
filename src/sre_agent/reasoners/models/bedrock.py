"""Models on Amazon Bedrock, through Converse and an inference profile that fits the region."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sre_agent import aws
from sre_agent.reasoners.models.reasoner import ModelReasoner
from sre_agent.reasoners.models.settings import ModelSettings, read_settings
from sre_core.bedrock import FALLBACK, MODEL, choose_profile
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from pydantic_ai import ModelSettings as RequestSettings
    from pydantic_ai.models import Model
    from pydantic_ai.providers.bedrock import BedrockProvider

KEY = "AWS_BEARER_TOKEN_BEDROCK"


def create(environment: Mapping[str, str]) -> ModelReasoner:
    """Create the reasoner. Credentials are those of the machine's role, or an API key of Bedrock."""
    settings = read_settings(environment, model=MODEL, fallback=FALLBACK, key_variable=KEY)
    if not settings.region:
        raise Refused(_no_region())

    @asynccontextmanager
    async def connect(given: ModelSettings) -> AsyncGenerator[tuple[Model, RequestSettings]]:
        from pydantic_ai.models.bedrock import BedrockConverseModel, BedrockModelSettings
        from pydantic_ai.models.fallback import FallbackModel
        from pydantic_ai.providers import bedrock as providers

        provider = _with_key(given) if given.key else providers.BedrockProvider(bedrock_client=aws.open_bedrock(given, environment))
        names = [choose_profile(name, given.region) for name in (given.model, given.fallback) if name]
        first, *others = [BedrockConverseModel(name, provider=provider) for name in names]
        caching = BedrockModelSettings(
            max_tokens=4096, bedrock_cache_instructions=True, bedrock_cache_tool_definitions=True, bedrock_cache_messages=True
        )
        yield (FallbackModel(first, *others) if others else first), caching

    return ModelReasoner("bedrock", settings, connect)


def _with_key(given: ModelSettings) -> BedrockProvider:
    """Send an API key of Bedrock, and no other credential, to Amazon or to the `url` of the settings."""
    from pydantic_ai.providers.bedrock import BedrockProvider

    return BedrockProvider(
        api_key=given.key.reveal() if given.key else "",
        region_name=given.region,
        # Explicitly, because a variable of AWS could name another endpoint.
        base_url=given.url or f"https://bedrock-runtime.{given.region}.amazonaws.com",
        aws_read_timeout=given.budget.seconds,
        aws_connect_timeout=5,
    )


def _no_region() -> Problem:
    return Problem(
        code="MODEL-SETTING-INVALID",
        what="Bedrock can't be asked without a region.",
        why="Neither SRE_MODEL_REGION nor AWS_REGION is set.",
        do=("Set SRE_MODEL_REGION to the region of the deployment.",),
    )
