"""The service's model under a pydantic-ai agent, as conversations use it."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai import Agent

from msil_mcp.llm.errors import BadKey, LlmError, ModelUnavailable
from msil_mcp.llm.messages import Assistant, Message, System, User
from msil_mcp.llm.tools import ToolSpec, ToolTable
from talking import BookingService

pytestmark = pytest.mark.anyio

Start = Callable[..., Any]
CHAINS = {
    "alone": {"openai_model": "scripted"},
    "after another": {"openai_model": "scripted:demo-401", "model_fallbacks": ("scripted",)},
}


def booking_agent(model: Any, service: BookingService) -> Agent[None, str]:
    agent = Agent(model, instructions="You help people with their cars.")

    @agent.tool_plain
    async def resolve_vehicle(registration_number: str) -> str:
        """Identify a vehicle."""
        return await service.run("resolve_vehicle", {"registration_number": registration_number})

    return agent


@pytest.mark.parametrize("settings", CHAINS.values(), ids=CHAINS)
async def test_an_agent_runs_tools_and_answers(
    llm_service: Start, service_url: str, settings: dict[str, Any]
) -> None:
    async with llm_service(**settings) as running:
        agent = booking_agent(await running.llm.chat_model(), BookingService(service_url))
        result = await agent.run("Tell me about MH12AB1234: which car is it?")
        assert "Swift ZXI+" in result.output
        assert result.usage.requests == 2
        async with agent.run_stream("Tell me about MH12CD5678: which car is it?") as streamed:
            pieces = [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]
        assert "Baleno" in "".join(pieces)
        assert len(pieces) > 3
        label = {"model": "msil-scripted", "status": "success"}
        assert running.value("openai_requests_total", **label) == 4


async def test_a_streamed_answers_first_piece_is_timed_and_a_whole_answer_has_none(
    llm_service: Start,
) -> None:
    first = "gen_ai_client_operation_time_to_first_chunk_seconds"
    label = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "msil-scripted"}
    async with llm_service() as running:
        await running.llm.complete("hello")
        assert running.value(f"{first}_count", **label) == 0
        async with running.llm.stream("hello") as stream:
            began = running.value(f"{first}_count", **label)
            assert "".join([piece async for piece in stream])
        assert (began, running.value(f"{first}_count", **label)) == (1, 1)
        whole = running.value("openai_request_duration_seconds_sum", model="msil-scripted")
        assert 0 < running.value(f"{first}_sum", **label) < whole


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"openai_model": "scripted:demo-401"}, BadKey),
        ({"openai_model": "scripted:demo-401", "model_fallbacks": ("scripted:demo-401",)}, BadKey),
        ({"openai_model": "scripted:demo-drop", "model_retries": 0}, ModelUnavailable),
    ],
)
async def test_failures_leave_an_agent_under_their_own_names(
    llm_service: Start, service_url: str, settings: dict[str, Any], error: type[LlmError]
) -> None:
    async with llm_service(**settings) as running:
        agent = booking_agent(await running.llm.chat_model(), BookingService(service_url))
        with pytest.raises(error):
            await agent.run("hello")
        with pytest.raises(error):
            async with agent.run_stream("hello") as streamed:
                await streamed.get_output()


async def test_cached_tokens_are_counted_beside_the_prompts(llm_service: Start) -> None:
    history: list[Message] = [System("You help people with their cars. " * 200), User("hello")]
    async with llm_service() as running:
        first = await running.llm.complete(history)
        history += [Assistant(first.text), User("thanks")]
        second = await running.llm.complete(history)
        assert first.usage.cached == 0
        assert 1024 <= second.usage.cached <= second.usage.prompt
        counted = running.value(
            "gen_ai_client_cached_tokens_total", gen_ai_request_model="msil-scripted"
        )
        assert counted == second.usage.cached


async def test_of_309_tools_no_request_holds_more_than_128(llm_service: Start) -> None:
    specs = [
        ToolSpec(name=f"list_records_{n}", description="List records.", input_schema={})
        for n in range(308)
    ]
    vehicle = ToolSpec(
        name="resolve_vehicle",
        description="Identify a vehicle by its registration number.",
        input_schema={"type": "object"},
    )
    async with llm_service() as running:
        # The scripted model refuses more, as providers do.
        answer = await running.llm.complete(
            "Which vehicle has the registration number MH12AB1234? Tell me about it.",
            tools=ToolTable([*specs, vehicle]),
        )
    assert [call.tool for call in answer.calls] == ["resolve_vehicle"]
