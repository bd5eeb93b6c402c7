"""The wire: what the official client and plain HTTP get, whole and in fragments."""

from typing import Any

import aiohttp
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI

from msil_mcp.llm.scripted.encoding import DONE, Outcome, document, events
from msil_mcp.llm.scripted.tokens import PromptTokens, count_tokens
from msil_mcp.llm.scripted.wire import ChatRequest, Message, PlannedCall, Reply, StreamOptions
from talking import TOOLS, tool

pytestmark = pytest.mark.anyio

ORDER = [
    {"role": "user", "content": "Book a service for MH12AB1234 tomorrow at 10 near Baner, Pune"}
]
MODEL = "msil-scripted"


async def ask(client: AsyncOpenAI, **options: Any) -> Any:
    return await client.chat.completions.create(
        **{"model": MODEL, "messages": ORDER, "tools": TOOLS} | options
    )


async def test_models_are_listed(client: AsyncOpenAI) -> None:
    models = [model.id async for model in client.models.list()]
    assert models[0] == MODEL
    assert {"demo-401", "demo-429", "demo-slow", "demo-drop", "demo-garbage"} <= set(models)


async def test_independent_lookups_are_called_in_parallel(client: AsyncOpenAI) -> None:
    answer = await ask(client)
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["resolve_vehicle", "get_nearby_dealers"]
    assert len({call.id for call in calls}) == 2
    assert answer.choices[0].finish_reason == "tool_calls"
    one = await ask(client, parallel_tool_calls=False)
    assert len(one.choices[0].message.tool_calls) == 1


async def test_a_stream_holds_fragments_of_the_same_answer(client: AsyncOpenAI) -> None:
    whole = await ask(client)
    arguments: dict[int, str] = {}
    names: dict[int, str] = {}
    pieces = 0
    stream = await ask(client, stream=True, stream_options={"include_usage": True})
    async for chunk in stream:
        for delta in chunk.choices[0].delta.tool_calls or () if chunk.choices else ():
            pieces += 1
            names.setdefault(delta.index, delta.function.name)
            arguments[delta.index] = arguments.get(delta.index, "") + delta.function.arguments
        last = chunk
    calls = whole.choices[0].message.tool_calls
    assert [names[i] for i in sorted(names)] == [call.function.name for call in calls]
    assert [arguments[i] for i in sorted(arguments)] == [call.function.arguments for call in calls]
    assert pieces > 6
    assert last.choices == []
    assert last.usage == whole.usage


async def test_no_usage_chunk_comes_unasked(client: AsyncOpenAI) -> None:
    chunks = [chunk async for chunk in await ask(client, stream=True, tools=[])]
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(chunks) > 3


async def test_the_same_messages_get_the_same_answer(client: AsyncOpenAI) -> None:
    first, second = await ask(client), await ask(client)
    assert first.model_dump() == second.model_dump()


async def test_tokens_are_counted_and_a_repeated_prefix_is_cached(client: AsyncOpenAI) -> None:
    long = {"role": "system", "content": "You help people with their cars. " * 200}
    messages = [long, {"role": "user", "content": "hello"}]
    first = await ask(client, messages=messages)
    assert first.usage.prompt_tokens > 1024
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    messages += [
        {"role": "assistant", "content": first.choices[0].message.content},
        {"role": "user", "content": "thanks"},
    ]
    second = await ask(client, messages=messages)
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached % 128 == 0
    assert first.usage.prompt_tokens - 128 < cached <= first.usage.prompt_tokens
    assert second.usage.total_tokens == (
        second.usage.prompt_tokens + second.usage.completion_tokens
    )


async def test_an_answer_is_cut_at_the_asked_length(client: AsyncOpenAI) -> None:
    answer = await ask(
        client, messages=[{"role": "user", "content": "help"}], max_completion_tokens=5
    )
    assert answer.choices[0].finish_reason == "length"
    assert 0 < count_tokens(answer.choices[0].message.content) <= 5


async def test_content_in_parts_is_read(client: AsyncOpenAI) -> None:
    parts = [{"type": "text", "text": "hello"}]
    answer = await ask(client, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content.startswith("Hello")


async def test_tool_choice_none_calls_nothing(client: AsyncOpenAI) -> None:
    answer = await ask(client, tool_choice="none")
    assert answer.choices[0].message.tool_calls is None


CALLED = {
    "role": "assistant",
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "resolve_vehicle", "arguments": "{}"}}
    ],
}
REFUSED = {
    "no messages": {"messages": []},
    "an orphaned call": {"messages": [*ORDER, CALLED, ORDER[0]]},
    "a call at the end": {"messages": [*ORDER, CALLED]},
    "an orphaned result": {
        "messages": [*ORDER, {"role": "tool", "tool_call_id": "1", "content": "x"}]
    },
    "a bad name": {"tools": [tool("has space")]},
    "a name twice": {"tools": [tool("a"), tool("a")]},
    "too many tools": {"tools": [tool(f"t{n}") for n in range(129)]},
    "a schema that is no object": {
        "tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "string"}}}]
    },
    "alternatives at the top": {
        "tools": [
            {
                "type": "function",
                "function": {"name": "a", "parameters": {"type": "object", "anyOf": []}},
            }
        ]
    },
    "a strict schema that is not": {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "a",
                    "strict": True,
                    "parameters": {"type": "object", "properties": {"b": {"type": "string"}}},
                },
            }
        ]
    },
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
async def test_what_no_provider_takes_is_refused(
    client: AsyncOpenAI, options: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await ask(client, **options)
    assert refused.value.type == "invalid_request_error"


async def test_an_unknown_model_is_not_found(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await ask(client, model="gpt-9")
    assert refused.value.code == "model_not_found"


async def test_a_body_that_is_no_request_is_refused(model_url: str) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{model_url}/chat/completions", data=b'{"model": 1') as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
calls = st.lists(
    st.builds(
        PlannedCall, st.sampled_from(["a", "b"]), st.dictionaries(st.text(max_size=8), json_values)
    ),
    min_size=1,
    max_size=4,
)


@given(calls, st.integers(1, 40))
def test_fragments_make_up_the_arguments_again(planned: list[PlannedCall], size: int) -> None:
    request = ChatRequest(
        MODEL, [Message("user", "x")], stream=True, stream_options=StreamOptions(True)
    )
    reply = Reply(calls=tuple(planned))
    outcome = Outcome(request, reply, PromptTokens(1, 0), 0, "tool_calls")
    found: dict[int, list[str]] = {}
    *chunks, done = events(outcome, fragment=size)
    assert done == DONE
    for chunk in chunks:
        body = msgspec.json.decode(chunk.removeprefix(b"data: ").rstrip())
        for choice in body["choices"]:
            for delta in choice["delta"].get("tool_calls", ()):
                assert len(delta["function"]["arguments"]) <= size
                found.setdefault(delta["index"], []).append(delta["function"]["arguments"])
    whole = msgspec.json.decode(document(outcome))["choices"][0]["message"]["tool_calls"]
    assert ["".join(found[i]) for i in sorted(found)] == [
        call["function"]["arguments"] for call in whole
    ]
    assert [msgspec.json.decode(call["function"]["arguments"]) for call in whole] == [
        dict(call.arguments) for call in planned
    ]
