"""The model's side of the product, end to end: the service, and the official openai client.

Nothing here reaches a real provider: the scripted model speaks the same wire on loopback.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI, AuthenticationError, RateLimitError

from booking_api.app import create_app as create_booking_app
from booking_api.settings import BookingSettings
from isolation import loopback_only
from msil_mcp.llm.errors import BadKey, ModelRateLimited
from msil_mcp.llm.llm_service import LLMService
from msil_mcp.llm.messages import Assistant, Message, ToolAnswer, User
from msil_mcp.llm.scripted.server import create_app
from msil_mcp.llm.tools import ToolSpec, ToolTable
from msil_mcp.llm.usage import TokenUsage
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.system import SystemMonitor
from msil_mcp.settings import Settings
from running import serving
from talking import BookingService, Talk, monday, operation_schemas

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
def no_real_models() -> Iterator[None]:
    with loopback_only():
        yield


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with serving(create_app(clock=monday)) as (url, _):
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookingService]:
    settings = BookingSettings(data_dir=tmp_path_factory.mktemp("booking"), _env_file=None)
    with serving(create_booking_app(settings, clock=monday)) as (url, _):
        yield BookingService(url)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(system=SystemMonitor(disk=Path()))


@pytest.fixture
async def llm(model_url: str, metrics: Metrics) -> AsyncIterator[LLMService]:
    """Configured as for a real provider, at the scripted model's address."""
    settings = Settings(
        _env_file=None,
        openai_api_key="not-a-real-key",
        openai_base_url=model_url,
        openai_model="openai:msil-scripted",
        models_by_role={"tester": ["openai:demo-*"]},
        model_prices={"openai:msil-scripted": {"input": "0.15", "output": "0.60"}},
        model_retries=0,
    )
    service = LLMService(settings, metrics=metrics)
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def client(model_url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=model_url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def tools() -> ToolTable:
    return ToolTable(
        ToolSpec(name=name, description=about, input_schema=schema)
        for name, (about, schema) in operation_schemas().items()
    )


async def test_chat_completion_simple(llm: LLMService) -> None:
    answer = await llm.complete("Hello")
    assert answer.text.startswith("Hello!")
    assert answer.calls == ()
    assert answer.finish_reason == "stop"


async def test_chat_completion_streamed(llm: LLMService, tools: ToolTable) -> None:
    async with llm.stream("What can you do?", tools=tools) as stream:
        pieces = [piece async for piece in stream]
    assert len(pieces) > 5
    assert "".join(pieces) == stream.completion.text
    assert stream.completion.usage.completion > 0


async def test_chat_completion_with_tools(llm: LLMService, tools: ToolTable) -> None:
    answer = await llm.complete(
        "Book a service for MH12AB1234 near Hinjewadi, Pune", tools=tools, system="Be brief."
    )
    assert [(call.tool, dict(call.arguments)) for call in answer.calls] == [
        ("resolve_vehicle", {"registration_number": "MH12AB1234"}),
        ("get_nearby_dealers", {"city": "Pune", "area": "Hinjewadi"}),
    ]
    assert answer.finish_reason == "tool_call"


async def test_tool_schema_conversion(llm: LLMService) -> None:
    awkward = ToolSpec(
        name="gateway/resolve_vehicle",
        description="Identify a vehicle.",
        input_schema={
            "oneOf": [{"$ref": "#/$defs/Plate"}],
            "$defs": {"Plate": {"type": "object", "properties": {"x": {"not": {}}}}},
        },
    )
    answer = await llm.complete("Which car is MH12AB1234? Tell me about it.", tools=[awkward])
    assert "registration number" in answer.text or answer.calls


async def test_a_bad_api_key_is_said_clearly(llm: LLMService, client: AsyncOpenAI) -> None:
    choice = llm.models.choose("openai:demo-401", roles=["tester"])
    with pytest.raises(BadKey, match="did not accept the API key"):
        await llm.complete("Hello", choice=choice)
    with pytest.raises(AuthenticationError):
        await client.chat.completions.create(
            model="demo-401", messages=[{"role": "user", "content": "Hello"}]
        )


async def test_a_rate_limit_says_when_to_try_again(llm: LLMService, client: AsyncOpenAI) -> None:
    choice = llm.models.choose("openai:demo-429", roles=["tester"])
    with pytest.raises(ModelRateLimited, match="Try again in 2 seconds"):
        await llm.complete("Hello", choice=choice)
    with pytest.raises(RateLimitError) as refused:
        await client.chat.completions.create(
            model="demo-429", messages=[{"role": "user", "content": "Hello"}]
        )
    assert refused.value.response.headers["retry-after"] == "2"


async def test_token_usage_and_cost_are_tracked(llm: LLMService, metrics: Metrics) -> None:
    answers = [await llm.complete("Hello"), await llm.complete("Thank you very much")]
    usage = sum((answer.usage for answer in answers), TokenUsage())
    for kind, tokens in (("prompt", usage.prompt), ("completion", usage.completion)):
        labels = {"model": "msil-scripted", "token_type": kind}
        exposed = f'openai_tokens_used{{model="msil-scripted",token_type="{kind}"}} {tokens:.1f}'
        assert exposed in metrics.render()[0].decode(), labels
    cost = answers[0].cost.usd
    assert cost is not None
    used = answers[0].usage
    assert float(cost) == pytest.approx(used.prompt * 0.15e-6 + used.completion * 0.60e-6)
    exposed = metrics.registry.get_sample_value(
        "gen_ai_client_cost_dollars_total", {"gen_ai_request_model": "msil-scripted"}
    )
    assert exposed == pytest.approx(usage.prompt * 0.15e-6 + usage.completion * 0.60e-6)


async def test_multi_turn_conversation(
    llm: LLMService, tools: ToolTable, service: BookingService
) -> None:
    """A whole booking through the service: the model asks, the tools run, the row exists."""
    history: list[Message] = []
    called: list[str] = []
    reply = ""
    for line in (
        "Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune",
        "9876543210, regular, yes",
    ):
        history.append(User(line))
        while True:
            answer = await llm.complete(history, tools=tools, used=called)
            history.append(Assistant(answer.text, answer.calls))
            if not answer.calls:
                reply = answer.text
                break
            for call in answer.calls:
                called.append(call.tool)
                result = await service.run(call.tool, dict(call.arguments))
                history.append(ToolAnswer(call, result))
    assert called == [
        "resolve_vehicle",
        "get_nearby_dealers",
        "get_available_slots",
        "create_service_booking",
        "get_booking_status",
    ]
    assert "Booked. Your booking id is BK" in reply


async def test_the_official_client_holds_the_same_conversation(
    client: AsyncOpenAI, service: BookingService
) -> None:
    talk = Talk(client, service)
    await talk.say("Book a service for MH12CD5678 tomorrow at 9:30 near Baner, Pune")
    assert "Booked" in await talk.say("9876543211, express, yes")
    assert talk.names[-2:] == ["create_service_booking", "get_booking_status"]
