"""A model whose requests are bounded in time, repeated where that is safe, counted and named.

Imported on first use only, because it imports the model libraries.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import structlog
from pydantic_ai import RunContext
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage
from typing_extensions import override

from msil_mcp.llm.errors import ContentRefused, LlmError, ModelGarbled, ModelTimeout
from msil_mcp.llm.failures import failure_of
from msil_mcp.llm.retrying import Patience
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.observability.metrics import Metrics

log = structlog.get_logger()

SUCCESS: Final = "success"
CANCELLED: Final = "cancelled"
MODEL_FAILURES: Final = (AgentRunError, httpx2.TransportError, LlmError)
"""What the libraries raise about a model; anything else is a fault of the code around them."""


def token_usage(usage: RequestUsage) -> TokenUsage:
    """A request's tokens as this product counts them."""
    return TokenUsage(
        prompt=usage.input_tokens,
        completion=usage.output_tokens,
        cached=usage.cache_read_tokens,
        cache_written=usage.cache_write_tokens,
    )


def is_refusal(response: ModelResponse) -> bool:
    """Whether the provider's filter left nothing of the answer."""
    return response.finish_reason == "content_filter" and not response.parts


@dataclass(init=False)
class GuardedModel(WrapperModel):
    """Raises LlmError for everything that goes wrong with the model.

    A request is repeated only while nothing of its answer has been handed over.
    """

    def __init__(
        self,
        wrapped: Model,
        *,
        name: str,
        label: str,
        patience: Patience,
        metrics: Metrics,
        price: Callable[[TokenUsage], Cost],
    ) -> None:
        super().__init__(wrapped)
        self._name = name
        self._label = label
        self._price = price
        self._patience = patience
        self._metrics = metrics

    @override
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        attempt = 0
        while True:
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._patience.whole):
                    response = await self.wrapped.request(
                        messages, model_settings, model_request_parameters
                    )
                break
            except (*MODEL_FAILURES, TimeoutError) as error:
                await self._wait(error, started, attempt)
                attempt += 1
            except asyncio.CancelledError:
                self._record(CANCELLED, started, RequestUsage())
                raise
        if is_refusal(response):
            self._record(ContentRefused.slug, started, response.usage)
            raise ContentRefused(model=self._name)
        self._record(SUCCESS, started, response.usage)
        return response

    @override
    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        async with AsyncExitStack() as stack:
            attempt = 0
            while True:
                started = time.perf_counter()
                try:
                    async with asyncio.timeout(self._patience.first_token):
                        stream = await stack.enter_async_context(
                            self.wrapped.request_stream(
                                messages, model_settings, model_request_parameters, run_context
                            )
                        )
                    # The first piece is here: the libraries read ahead that far, or at least
                    # (Bedrock's) until the answer begins.
                    self._metrics.record_first_chunk(self._label, time.perf_counter() - started)
                    break
                except (*MODEL_FAILURES, TimeoutError) as error:
                    await self._wait(error, started, attempt)
                    attempt += 1
                except asyncio.CancelledError:
                    self._record(CANCELLED, started, RequestUsage())
                    raise
            async with self._counted(stream, started):
                yield stream

    @asynccontextmanager
    async def _counted(self, stream: StreamedResponse, started: float) -> AsyncGenerator[None]:
        """What goes wrong while the answer is read is final: parts of it were shown."""
        status = CANCELLED
        try:
            yield
            status = ContentRefused.slug if is_refusal(stream.get()) else SUCCESS
        except MODEL_FAILURES as error:
            found = self._failure(error)
            status = found.slug
            if found is error:
                raise
            raise found from error
        finally:
            self._record(status, started, stream.usage)
        if status == ContentRefused.slug:
            raise ContentRefused(model=self._name)

    async def _wait(self, error: Exception, started: float, attempt: int) -> None:
        """Wait for the next attempt, or raise what there is to raise."""
        found = self._failure(error)
        self._record(found.slug, started, RequestUsage())
        delay = self._patience.delay(found, attempt=attempt)
        if delay is None:
            raise found from error
        log.info("model_retry", model=self._name, error=found.slug, delay_seconds=round(delay, 3))
        await asyncio.sleep(delay)

    def _failure(self, error: Exception) -> LlmError:
        if isinstance(error, TimeoutError):
            return ModelTimeout(model=self._name)
        return failure_of(error, model=self._name) or ModelGarbled(model=self._name)

    def _record(self, status: str, started: float, usage: RequestUsage) -> None:
        spent = self._price(token_usage(usage)).usd if usage.input_tokens else None
        self._metrics.record_model_request(
            self._label,
            status,
            time.perf_counter() - started,
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            cached_tokens=usage.cache_read_tokens,
            cost_usd=None if spent is None else float(spent),
        )


def falls_back(error: Exception) -> bool:
    """Whether the next model of a chain is asked."""
    return isinstance(error, LlmError) and error.may_fall_back


@dataclass(init=False)
class LastResort(WrapperModel):
    """Around a chain of fallbacks: what is raised in the end is one LlmError."""

    def __init__(self, wrapped: Model, *, name: str) -> None:
        super().__init__(wrapped)
        self._name = name

    @override
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        try:
            return await self.wrapped.request(messages, model_settings, model_request_parameters)
        except ExceptionGroup as group:
            raise failure_of(group, model=self._name) or group from group

    @override
    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        try:
            async with self.wrapped.request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                yield stream
        except ExceptionGroup as group:
            raise failure_of(group, model=self._name) or group from group
