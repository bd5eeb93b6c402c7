"""The official openai client against /v1: conversations over tools that read, and every refusal."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from booking_api.schedule import INDIA, next_open_day
from chat.conversing import BOOKING_TOOLS
from databases import Templates, settings_for
from product.orders import agreed, order
from product.polling import eventually
from running import Product, product

pytestmark = pytest.mark.anyio

FAULTS = ("401", "429", "context", "drop", "filter", "slow")
Messages = list[dict[str, str]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str
) -> Iterator[Product]:
    faults = [f"scripted:demo-{fault}" for fault in FAULTS]
    with templates.clone(request.param) as url:
        settings = settings_for(
            url, models_by_role={"user": faults}, model_retries=0, openai_model="scripted"
        )
        with product(settings, booking_url=booking_url) as running:
            yield running


@pytest.fixture
async def client(served: Product) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(served, key=served.keys["user"]) as client:
        yield client


def client_of(served: Product, *, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0)


def user(*lines: str) -> Messages:
    return [{"role": "user", "content": line} for line in lines]


async def ask(client: AsyncOpenAI, text: str, **options: Any) -> str:
    options = {"model": "msil-scripted", "messages": user(text)} | options
    answer = await client.chat.completions.create(**options)
    return answer.choices[0].message.content or ""


def executions(served: Product) -> list[tuple[str, str, str]]:
    query = "SELECT tool_name, state, principal_id FROM tool_executions ORDER BY created_at, id"
    return [tuple(row) for row in served.query(query)]


async def booked(served: Product) -> str:
    """A booking, made past the product."""
    order = {
        "customer_mobile": "9876543211",
        "vehicle_registration": "MH12CD5678",
        "dealer_code": "MSIL-PUNE-002",
        "appointment_date": next_open_day(datetime.now(INDIA).date()).isoformat(),
        "appointment_time": "15:30",
        "service_type": "express",
    }
    async with (
        aiohttp.ClientSession(served.booking_url) as http,
        http.post("/api/booking/create", json=order) as answer,
    ):
        return str((await answer.json())["booking_id"])


async def test_the_models_a_caller_may_name_are_listed(client: AsyncOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert listed[0].id == "msil-scripted"
    assert {model.id for model in listed[1:]} == {f"scripted:demo-{fault}" for fault in FAULTS}
    assert {model.owned_by for model in listed} == {"scripted"}
    assert (await client.models.retrieve("msil-scripted")).id == "msil-scripted"


async def test_an_answer_quotes_what_a_tool_found(client: AsyncOpenAI, served: Product) -> None:
    before = len(executions(served))
    answer = await client.chat.completions.create(
        model="msil-scripted", messages=user("Which dealers are near Baner, Pune?")
    )
    [choice] = answer.choices
    assert "MSIL Service Baner" in (choice.message.content or "")
    assert choice.finish_reason == "stop"
    assert answer.model == "msil-scripted"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    [made] = executions(served)[before:]
    assert made[:2] == ("get_nearby_dealers", "succeeded")


async def test_a_conversation_about_a_booking_uses_real_data(
    client: AsyncOpenAI, served: Product
) -> None:
    booking_id = await booked(served)
    day = next_open_day(datetime.now(INDIA).date())
    history = user(f"Which slots are free at MSIL-PUNE-002 on {day:%d %B %Y}?")
    slots = await ask(client, "", messages=history)
    assert "09:30" in slots
    history += [
        {"role": "assistant", "content": slots},
        *user(f"What is the status of {booking_id}?"),
    ]
    status = await ask(client, "", messages=history)
    assert booking_id in status
    assert "CONFIRMED" in status.upper()


async def test_a_streamed_answer_comes_in_pieces_with_its_usage_last(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="msil-scripted",
        messages=user("Tell me about MH12AB1234: which car is it?"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "Swift ZXI+" in "".join(said)
    assert len([piece for piece in said if piece]) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


async def test_without_being_asked_a_stream_says_nothing_of_usage_and_ends_with_done(
    served: Product,
) -> None:
    body = {"model": "msil-scripted", "messages": user("hello"), "stream": True}
    reply = await served.request("POST", "/v1/chat/completions", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in reply.body


async def test_every_call_leaves_an_audit_record_of_the_keys_own(
    client: AsyncOpenAI, served: Product
) -> None:
    answer = await client.chat.completions.with_raw_response.create(
        model="msil-scripted", messages=user("Which dealers are near Dwarka, Delhi?")
    )
    correlation = answer.headers["x-correlation-id"]
    found = await served.request(
        "GET", f"/api/audit?correlation_id={correlation}", role="administrator"
    )
    tools = [each["tool"] for each in found.json["items"] if each.get("tool")]
    assert tools == ["get_nearby_dealers"]


async def test_nothing_can_be_booked_whoever_says_yes(client: AsyncOpenAI, served: Product) -> None:
    before = len(executions(served))
    history: Messages = []
    day = next_open_day(datetime.now(INDIA).date())
    for line in (
        f"Book a service for MH12AB1234 on {day:%d %B %Y} at 11:30 near Hinjewadi, Pune",
        "9876543210, regular, yes",
        "yes",
    ):
        history += user(line)
        history.append({"role": "assistant", "content": await ask(client, "", messages=history)})
    assert not re.search(r"BK\d{6}", history[-1]["content"])
    made = [tool for tool, _, _ in executions(served)[before:]]
    assert made
    assert "create_service_booking" not in made


async def heard(client: AsyncOpenAI, messages: Messages) -> str:
    """A streamed answer, put together."""
    stream = await client.chat.completions.create(
        model="msil-scripted", messages=messages, stream=True
    )
    pieces = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
    return "".join(piece or "" for piece in pieces)


async def test_the_official_client_reads_all_of_a_booking_that_a_person_confirms(
    client: AsyncOpenAI, served: Product
) -> None:
    """What reads is answered here; the one write goes by the door where a person agrees."""
    before = len(executions(served))
    day = next_open_day(datetime.now(INDIA).date() + timedelta(days=2))
    history = user(f"Book a service for MH12AB1234 on {day:%d %B %Y} at 11:00 near Baner, Pune")
    found = await heard(client, history)
    assert "Swift ZXI+" in found
    assert "MSIL Service Baner" in found
    history += [{"role": "assistant", "content": found}, *user("9876543210, regular, yes")]
    said = await heard(client, history)
    assert "no tool here to book it" in said
    arguments = order(
        customer_mobile="9876543210",
        vehicle_registration="MH12AB1234",
        dealer_code="MSIL-PUNE-002",
        appointment_date=day.isoformat(),
        appointment_time="11:00",
    )
    tool, key = "create_service_booking", uuid4().hex
    approval = await agreed(served, tool, arguments, key=key)
    made = (await served.call(tool, arguments, key=key, approval=approval)).json
    booking_id = made["structured"]["booking_id"]
    history += [
        {"role": "assistant", "content": said},
        *user(f"It is booked as {booking_id}. What is its status?"),
    ]
    status = await heard(client, history)
    assert booking_id in status
    assert "CONFIRMED" in status.upper()
    # Nothing is remembered between answers, so the second reads once more what it tells.
    assert [made for made, _, _ in executions(served)[before:]] == [
        *BOOKING_TOOLS[:3],
        *BOOKING_TOOLS[:3],
        *BOOKING_TOOLS[3:],
    ]


async def test_a_key_without_exposure_has_no_tools(served: Product) -> None:
    before = len(executions(served))
    made = await served.request(
        "POST",
        "/api/keys",
        role="administrator",
        json={"name": "narrow", "roles": ["user"], "scopes": ["bundle:another"]},
    )
    async with client_of(served, key=made.json["token"]) as client:
        said = await ask(client, "Which dealers are near Baner, Pune?")
    assert "MSIL" not in said
    assert len(executions(served)) == before


async def test_keys_that_are_bad_or_may_not_chat_are_refused(served: Product) -> None:
    async with client_of(served, key="msil_not_a_key") as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await ask(client, "hello")
    assert refused.value.type == "authentication_error"
    assert refused.value.response.headers["www-authenticate"].startswith("Bearer")
    async with client_of(served, key=served.keys["auditor"]) as client:
        with pytest.raises(openai.PermissionDeniedError, match="chat:use"):
            await ask(client, "hello")


REFUSED: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str, str | None]] = {
    "an unknown model": ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found", None),
    "another provider": ({"model": "azure:x"}, openai.NotFoundError, "model_not_found", None),
    "a provider's rate limit": (
        {"model": "scripted:demo-429"}, openai.RateLimitError, "rate_limit_exceeded", None,
    ),
    "a context that is too long": (
        {"model": "scripted:demo-context"}, openai.BadRequestError, "context_length_exceeded", None,
    ),
    "a filter": (
        {"model": "scripted:demo-filter"}, openai.BadRequestError, "content_filter", None,
    ),
    "a bad key of the server's": (
        {"model": "scripted:demo-401"}, openai.InternalServerError, "model_bad_key", None,
    ),
    "tools of the caller's": (
        {"tools": [{"type": "function", "function": {"name": "x"}}]},
        openai.BadRequestError, "unsupported_parameter", "tools",
    ),
    "several answers": ({"n": 2}, openai.BadRequestError, "unsupported_parameter", "n"),
    "a message that is no text": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        openai.BadRequestError, "unsupported_parameter", "messages[0].content",
    ),
    "no messages": ({"messages": []}, openai.BadRequestError, "unsupported_parameter", "messages"),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("options", "error", "code", "param"), REFUSED.values(), ids=REFUSED)
async def test_what_is_refused_is_said_in_the_shape_clients_read(
    client: AsyncOpenAI,
    options: dict[str, Any],
    error: type[openai.APIStatusError],
    code: str,
    param: str | None,
    stream: bool,
) -> None:
    with pytest.raises(error) as refused:
        await ask(client, "hello there, how are you today?", stream=stream, **options)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.body["message"].endswith(".")
    if error is openai.RateLimitError:
        assert refused.value.response.headers["retry-after"] == "2"


async def test_an_answer_that_breaks_off_is_raised_by_the_client(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="scripted:demo-drop", messages=user("What can you do?"), stream=True
    )
    with pytest.raises(openai.APIError, match="not available"):
        _ = [chunk async for chunk in stream]


async def test_an_answer_is_cut_where_the_caller_limits_it(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="msil-scripted", messages=user("What can you do?"), max_completion_tokens=5
    )
    assert answer.choices[0].finish_reason == "length"


async def test_one_caller_has_so_many_answers_at_once_and_leaving_ends_them(
    served: Product,
) -> None:
    body = {"model": "scripted:demo-slow", "messages": user("hello"), "stream": True}
    async with aiohttp.ClientSession(served.url, headers=served.headers()) as http:
        tasks = [
            asyncio.create_task(http.post("/v1/chat/completions", json=body).__aenter__())
            for _ in range(17)
        ]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        async with client_of(served, key=served.keys["administrator"]) as another:
            # Others are answered meanwhile; and by then the model has been asked by all.
            assert "Hello" in await ask(another, "hello")
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    [refused] = [task.result() for task in done]
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")

    async def cancelled() -> bool:
        metrics = (await served.request("GET", "/metrics")).body.decode()
        return 'openai_requests_total{model="demo-slow",status="cancelled"} 16.0' in metrics

    await eventually(cancelled, within=4)


LIMITS = {
    "tool calls": ({"chat_turn_tool_calls": 1}, "msil-scripted", "1 tool call."),
    "seconds": ({"chat_turn_seconds": 0.5}, "scripted:demo-slow", "0.5 seconds"),
}


@pytest.fixture(scope="module", params=LIMITS.values(), ids=LIMITS)
def limited(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str
) -> Iterator[tuple[Product, str, str]]:
    """A product with a low limit, the model that reaches it, and what it is called."""
    changes, model, limit = request.param
    with templates.clone("sqlite") as url:
        settings = settings_for(url, models_by_role={"user": ["scripted:demo-*"]}, **changes)
        with product(settings, booking_url=booking_url) as running:
            yield running, model, limit


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_that_reaches_a_limit_says_which(
    limited: tuple[Product, str, str], stream: bool
) -> None:
    running, model, limit = limited
    body = {
        "model": model,
        "messages": user("Book a service for MH12AB1234 near Hinjewadi, Pune"),
        "stream": stream,
    }
    reply = await running.request("POST", "/v1/chat/completions", json=body)
    assert f"reached its limit of {limit}" in reply.body.decode()
    assert '"finish_reason":"length"' in reply.body.decode()
    assert running.query("SELECT count(*) FROM tool_executions") == [(0,)]
