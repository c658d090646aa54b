"""Models on Amazon Bedrock, through Converse and an inference profile that fits the region."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sre_agent import aws
from sre_agent.models.reasoner import ModelReasoner
from sre_agent.models.settings import ModelSettings, read_settings
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from pydantic_ai import ModelSettings as RequestSettings
    from pydantic_ai.models import Model

MODEL = "anthropic.claude-sonnet-4-6"
FALLBACK = "amazon.nova-pro-v1:0"
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHIES = (("us-gov-", "us-gov"), ("us-", "us"), ("eu-", "eu"), ("ap-northeast-1", "jp"), ("ap-southeast-2", "au"), ("ap-", "apac"))


def create(environment: Mapping[str, str]) -> ModelReasoner:
    """Create the reasoner. Credentials are those of the machine's role."""
    settings = read_settings(environment, model=MODEL, fallback=FALLBACK)
    if not settings.region:
        raise Refused(_no_region())

    @asynccontextmanager
    async def connect(given: ModelSettings) -> AsyncGenerator[tuple[Model, RequestSettings]]:
        from pydantic_ai.models.bedrock import BedrockConverseModel, BedrockModelSettings
        from pydantic_ai.models.fallback import FallbackModel
        from pydantic_ai.providers.bedrock import BedrockProvider

        provider = BedrockProvider(bedrock_client=aws.open_bedrock(given.region, environment, given.budget.seconds))
        names = [profile_of(name, given.region) for name in (given.model, given.fallback) if name]
        first, *others = [BedrockConverseModel(name, provider=provider) for name in names]
        caching = BedrockModelSettings(
            max_tokens=4096, bedrock_cache_instructions=True, bedrock_cache_tool_definitions=True, bedrock_cache_messages=True
        )
        yield (FallbackModel(first, *others) if others else first), caching

    return ModelReasoner("bedrock", settings, connect)


def profile_of(model: str, region: str) -> str:
    """Return the inference profile of a model for a region; a name that already is a profile or an ARN stays."""
    vendor = model.partition(".")[0]
    if model.startswith("arn:") or vendor in {"global", *(geography for _, geography in _GEOGRAPHIES)}:
        return model
    geography = next((found for start, found in _GEOGRAPHIES if region.startswith(start)), "")
    return f"{geography}.{model}" if geography else model


def _no_region() -> Problem:
    return Problem(
        code="MODEL-SETTING-INVALID",
        what="Bedrock can't be asked without a region.",
        why="Neither SRE_MODEL_REGION nor AWS_REGION is set.",
        do=("Set SRE_MODEL_REGION to the region of the deployment.",),
    )
