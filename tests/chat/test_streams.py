"""The stream of a turn: complete after a reload, from another process, and after it has ended."""

from collections.abc import Iterator

import pytest

from chat.conversing import Conversation, booking_id, by_model, kinds, numbers, opened, order, said
from databases import Templates, settings_for
from msil_mcp.llm.scripted.server import create_app as create_model
from running import Booking, Product, product, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def replicas(templates: Templates, booking_url: str) -> Iterator[tuple[Product, Product]]:
    """Two servers on one PostgreSQL database, and a model slow enough to be stopped."""
    with (
        templates.clone("postgresql") as url,
        serving(create_model(pace_seconds=0.03)) as (model, _),
    ):
        settings = settings_for(url, **by_model(f"{model}/v1"))
        with (
            product(settings, booking_url=booking_url) as first,
            product(settings, booking_url=booking_url, keys=first.keys) as second,
        ):
            yield first, second


def beside(talk: Conversation, other: Product) -> Conversation:
    """The same conversation, at another server."""
    return Conversation(other, talk.id, talk.role, talk.runs)


async def test_a_reload_in_the_middle_loses_and_repeats_nothing(chatting: Product) -> None:
    talk = await opened(chatting)
    await talk.begin(order("09:00"))
    before = []
    async with talk.following() as events:
        async for event in events:
            before.append(event)
            if event.data["type"] == "text-delta":
                break
    after = await talk.listen(after=before[-1].number)
    whole = [*before, *after]
    assert numbers(whole) == list(range(1, len(numbers(whole)) + 1))
    assert after[-1].data == "[DONE]"
    ended = await talk.wait()
    assert said(whole) == ended["text"]
    assert kinds(whole)[0] == "start"
    assert kinds(whole)[-1] == "finish"
    assert {"tool-input-available", "tool-output-available", "data-tool", "data-usage"} <= set(
        kinds(whole)
    )


async def test_a_second_reader_hears_the_same_from_the_beginning(chatting: Product) -> None:
    talk = await opened(chatting)
    await talk.begin("What can you do?")
    async with talk.following() as first:
        heard = [await anext(first) for _ in range(4)]
        second = await talk.listen()
        heard += [event async for event in first]
    assert [event.data for event in heard] == [event.data for event in second]


async def test_an_answer_that_has_ended_is_told_from_the_database(chatting: Product) -> None:
    talk = await opened(chatting)
    ended = await talk.say(order("09:30"))
    events = await talk.listen()
    assert said(events) == ended["text"]
    assert events[0].data == {"type": "start", "messageId": ended["message"]["id"]}
    assert (kinds(events)[-1], events[-1].data) == ("finish", "[DONE]")
    outputs = [e.data for e in events[:-1] if e.data["type"] == "tool-output-available"]
    assert [type(output["output"]) for output in outputs] == [dict] * 3


async def test_a_turn_is_heard_at_another_server(replicas: tuple[Product, Product]) -> None:
    here, there = replicas
    talk = await opened(here)
    await talk.begin(order("14:00"))
    events = await beside(talk, there).listen()
    assert numbers(events) == list(range(1, len(numbers(events)) + 1))
    assert said(events) == (await talk.wait())["text"]


async def test_a_turn_is_stopped_from_another_server(replicas: tuple[Product, Product]) -> None:
    here, there = replicas
    talk = await opened(here)
    await talk.begin("What can you do for me?")
    async with talk.following() as events:
        async for event in events:
            if event.data["type"] == "text-delta":
                break
        assert (await beside(talk, there).ask("POST", "/stop")).status == 202
        assert [event async for event in events][-1].data == "[DONE]"
    assert (await talk.wait())["state"] == "stopped"


async def test_a_decision_at_another_server_goes_on_in_the_same_stream(
    replicas: tuple[Product, Product], booking: Booking
) -> None:
    here, there = replicas
    talk = await opened(here)
    await talk.say(order("14:30"))
    asked = await talk.say("9876543210, regular, yes")
    async with talk.following() as events:
        heard = [await anext(events)]
        assert (await beside(talk, there).decide(asked["approvals"][0], "approve")).status == 202
        heard += [event async for event in events]
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))
    assert kinds(heard).count("start") == 1
    assert "data-approval" in kinds(heard)
    assert booking.rows(booking_id(said(heard)))
