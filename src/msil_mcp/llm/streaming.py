"""One completion, whole or piece by piece.

Imported on first use only, because it imports the model libraries.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from msil_mcp.llm.choice import ModelChoice
from msil_mcp.llm.failures import failure_of
from msil_mcp.llm.guarded_model import token_usage
from msil_mcp.llm.history import calls_of, to_history, tool_definition
from msil_mcp.llm.messages import Completion, Message
from msil_mcp.llm.tools import ModelTool, ToolTable
from msil_mcp.llm.usage import Charge, TokenUsage

Price = Callable[[ModelChoice, str, TokenUsage], Charge]


class CompletionStream:
    """Text as it comes; `completion` is the whole answer once it has come."""

    def __init__(
        self,
        answer: StreamedResponse | ModelResponse,
        *,
        tools: ToolTable,
        wanted: ModelChoice,
        price: Price,
    ) -> None:
        self._answer = answer
        self._tools = tools
        self._wanted = wanted
        self._price = price

    async def __aiter__(self) -> AsyncIterator[str]:
        if isinstance(self._answer, ModelResponse):
            return
        async for event in self._answer:
            match event:
                case PartStartEvent(part=TextPart(content=text)) if text:
                    yield text
                case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
                    yield text

    @property
    def completion(self) -> Completion:
        """What has come so far; everything, after the last piece.

        Raises:
            ModelGarbled: A call's arguments are no JSON object.
        """
        answer = self._answer
        response = answer if isinstance(answer, ModelResponse) else answer.get()
        model = response.model_name or self._wanted.name
        usage = token_usage(response.usage)
        charge = self._price(self._wanted, model, usage)
        return Completion(
            text="".join(part.content for part in response.parts if isinstance(part, TextPart)),
            calls=calls_of(response, tools=self._tools, model=model),
            usage=usage,
            cost=charge.cost,
            model=model,
            charged_to=charge.model,
            finish_reason=response.finish_reason,
        )


@asynccontextmanager
async def open_completion(
    model: Model,
    messages: Sequence[Message],
    *,
    tools: ToolTable,
    offered: Sequence[ModelTool],
    max_tokens: int | None,
    whole: bool,
    price: Price,
    wanted: ModelChoice,
) -> AsyncIterator[CompletionStream]:
    """Ask the model; what goes wrong in its libraries leaves as an LlmError."""
    history = to_history(messages, tools=tools)
    settings = ModelSettings(max_tokens=max_tokens) if max_tokens else None
    parameters = ModelRequestParameters(function_tools=[tool_definition(tool) for tool in offered])
    async with AsyncExitStack() as stack:
        try:
            answer: StreamedResponse | ModelResponse
            if whole:
                answer = await model_request(
                    model, history, model_settings=settings, model_request_parameters=parameters
                )
            else:
                answer = await stack.enter_async_context(
                    model_request_stream(
                        model, history, model_settings=settings, model_request_parameters=parameters
                    )
                )
            yield CompletionStream(answer, tools=tools, wanted=wanted, price=price)
        except RuntimeError as error:
            found = failure_of(error, model=wanted.name)
            if found is None:
                raise
            raise found from error
