"""The agent at work on one answer: model, tools, model again, and the stream of it.

Imported on first use only, because it imports the model libraries.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import (
    AgentStreamEvent,
    FunctionToolResultEvent,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import Model
from pydantic_ai.ui.vercel_ai import VercelAIEventStream
from pydantic_ai.ui.vercel_ai.response_types import (
    BaseChunk,
    FinishStepChunk,
    ToolOutputAvailableChunk,
)
from pydantic_ai.usage import UsageLimits
from typing_extensions import override

from msil_mcp.chat import parts as own
from msil_mcp.chat import wire
from msil_mcp.chat.calling import Cut
from msil_mcp.chat.context import Entry
from msil_mcp.chat.limits import Meter
from msil_mcp.chat.model_view import as_messages
from msil_mcp.chat.toolset import GovernedTools
from msil_mcp.chat.transcript import Transcript
from msil_mcp.llm.guarded_model import token_usage
from msil_mcp.llm.history import to_history
from msil_mcp.llm.tools import ToolTable
from msil_mcp.llm.usage import Charge, TokenUsage

SDK_VERSION: Final = 7
AGENT: Final = Agent(output_type=[str, DeferredToolRequests], retries=2)
NO_LIMITS: Final = UsageLimits(request_limit=None)


@dataclass
class Encoder(VercelAIEventStream[None, Any]):
    """The library's encoder for one leg of a run; the run itself says when it begins and ends."""

    failure: Exception | None = None

    @override
    async def before_stream(self) -> AsyncIterator[BaseChunk]:
        nothing: tuple[BaseChunk, ...] = ()
        for chunk in nothing:
            yield chunk

    @override
    async def after_stream(self) -> AsyncIterator[BaseChunk]:
        if self._step_started:
            yield FinishStepChunk()

    @override
    async def on_error(self, error: Exception) -> AsyncIterator[BaseChunk]:
        self.failure = error
        for part in self._streamed_call_parts.values():
            yield self._tool_input_available_chunk(part)
        self._streamed_call_parts.clear()

    @override
    async def handle_function_tool_result(
        self, event: FunctionToolResultEvent
    ) -> AsyncIterator[BaseChunk]:
        async for chunk in super().handle_function_tool_result(event):
            if isinstance(chunk, ToolOutputAvailableChunk) and isinstance(chunk.output, str):
                chunk.output = wire.structured(chunk.output)
            yield chunk


@dataclass(slots=True, kw_only=True)
class Leg:
    """From a history that ends in something to answer, to an answer or a question to a person."""

    model: Model
    entries: Sequence[Entry]
    instructions: str
    table: ToolTable
    tools: GovernedTools
    transcript: Transcript
    meter: Meter
    asked: str
    price: Callable[[str, TokenUsage], Charge]
    before_calls: Callable[[], Awaitable[None]]

    async def run(self, emit: Callable[[str], None]) -> None:
        """Raises what ended it early, after the stream's open parts were closed."""
        encoder = Encoder(sdk_version=SDK_VERSION)

        def say(text: str) -> None:
            # By far the most frequent chunk, and the library's way to it is by far the longest.
            emit(wire.chunk("text-delta", id=encoder.message_id, delta=text))

        async for chunk in encoder.transform_stream(self._events(say)):
            emit(chunk.encode(SDK_VERSION))
        if encoder.failure is not None:
            raise encoder.failure

    async def _events(self, say: Callable[[str], None]) -> AsyncGenerator[AgentStreamEvent, None]:
        """What is left for the encoder; text that goes on is handed to `say`."""
        try:
            async for event in self._agent_events(say):
                yield event
        except asyncio.CancelledError as error:
            raise Cut from error

    async def _agent_events(
        self, say: Callable[[str], None]
    ) -> AsyncGenerator[AgentStreamEvent, None]:
        history = to_history(as_messages(self.entries), tools=self.table)
        async with AGENT.iter(
            message_history=history,
            model=self.model,
            instructions=self.instructions,
            toolsets=[self.tools],
            usage_limits=NO_LIMITS,
        ) as run:
            async for node in run:
                if Agent.is_model_request_node(node):
                    self.meter.before_request(self.asked)
                    async with node.stream(run.ctx) as stream:
                        async for event in stream:
                            self.meter.heard()
                            match event:
                                case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if (
                                    text
                                ):
                                    self.transcript.say(text)
                                    say(text)
                                case _:
                                    self._hear(event)
                                    yield event
                elif Agent.is_call_tools_node(node):
                    await self._answered(node.model_response)
                    async with node.stream(run.ctx) as handling:
                        async for event in handling:
                            self._hear(event)
                            yield event

    async def _answered(self, response: ModelResponse) -> None:
        usage = token_usage(response.usage)
        model = response.model_name or self.model.model_name
        charge = self.price(model, usage)
        self.meter.answered(model=model, charged_to=charge.model, usage=usage, cost=charge.cost)
        calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        if not calls:
            return
        for call in calls:
            self.transcript.add(self._own_call(call))
        self.meter.before_calls(len(calls))
        await self.before_calls()

    def _own_call(self, call: ToolCallPart) -> own.ToolCallPart:
        arguments = call.args_as_dict()
        tool = self.table.tool(call.tool_name)
        return own.ToolCallPart(
            call_id=call.tool_call_id,
            tool=call.tool_name if tool is None else tool.own_name,
            arguments=arguments if tool is None else tool.own_arguments(arguments),
        )

    def _hear(self, event: object) -> None:
        match event:
            case PartStartEvent(part=TextPart(content=text)):
                self.transcript.begin_text()
                self.transcript.say(text)
            case FunctionToolResultEvent(part=ToolReturnPart() as part):
                # A call that was refused before it came to the invoker.
                tool = self.table.tool(part.tool_name)
                self.transcript.add(
                    own.ToolResultPart(
                        call_id=part.tool_call_id,
                        tool=part.tool_name if tool is None else tool.own_name,
                        outcome="succeeded" if part.outcome == "success" else "failed",
                        text=part.model_response_str(wrap_if_error=False),
                    )
                )
