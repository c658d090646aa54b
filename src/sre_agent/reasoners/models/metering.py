"""Count what each model of one question uses, and trace its requests.

Prices come from one table, the library genai-prices, which names the source of each and when it was checked. Of a model that is not in
it the tokens are known, and no money.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from pydantic_ai import ModelSettings, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel

from sre_core import tracing


class Meter:
    """The answers of all models to one question."""

    def __init__(self) -> None:
        self._answers: list[ModelResponse] = []

    def add(self, answer: ModelResponse) -> None:
        """Count one answer, for the model that gave it: the first that is asked may have failed."""
        self._answers.append(answer)

    def to_json(self) -> list[dict[str, object]]:
        """Return what each model used."""
        names = dict.fromkeys(answer.model_name or "unknown" for answer in self._answers)
        return [self._sum(name) for name in names]

    def _sum(self, name: str) -> dict[str, object]:
        answers = [answer for answer in self._answers if (answer.model_name or "unknown") == name]
        prices = [_price(answer) for answer in answers]
        known = [price for price in prices if price is not None]
        return {
            "model": name,
            "requests": len(answers),
            "input_tokens": sum(answer.usage.input_tokens for answer in answers),
            "cached_tokens": sum(answer.usage.cache_read_tokens for answer in answers),
            "output_tokens": sum(answer.usage.output_tokens for answer in answers),
            **({"dollars": float(sum(known))} if len(known) == len(prices) else {}),
        }


class Metered(WrapperModel):
    """A model whose answers are counted."""

    def __init__(self, wrapped: Model, meter: Meter) -> None:
        super().__init__(wrapped)
        self._meter = meter

    async def request(
        self, messages: list[ModelMessage], model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> ModelResponse:
        with tracing.span("ask_model", "client", facts={"gen_ai.request.model": self.model_name}) as step:
            answer = await super().request(messages, model_settings, model_request_parameters)
            self._count(answer, step)
        return answer

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        with tracing.span("ask_model", "client", facts={"gen_ai.request.model": self.model_name}) as step:
            async with super().request_stream(messages, model_settings, model_request_parameters, run_context) as stream:
                yield stream
                self._count(stream.get(), step)

    def _count(self, answer: ModelResponse, step: tracing.Span) -> None:
        self._meter.add(answer)
        step.note("gen_ai.response.model", answer.model_name or "unknown")
        step.note("gen_ai.usage.input_tokens", answer.usage.input_tokens)
        step.note("gen_ai.usage.output_tokens", answer.usage.output_tokens)


def _price(answer: ModelResponse) -> Decimal | None:
    if answer.usage.cost is not None:
        return answer.usage.cost
    try:
        return answer.cost().total_price
    except (LookupError, ValueError, AssertionError):
        return None
