"""Conversations longer than their budget: summarised, branch by branch, and never stopped by it."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from chat.conversing import (
    BASE,
    Conversation,
    Event,
    booking_id,
    by_model,
    kinds,
    opened,
    order,
    said,
    tools,
)
from chat.overheard import Overheard, conversation, size
from databases import Templates, settings_for
from msil_mcp.chat.limits import Meter
from msil_mcp.llm.summarising import LEFT_OUT, unframed
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.settings import Settings
from running import Booking, Product, product, serving

pytestmark = pytest.mark.anyio

BUDGET = 2_000
LONG = "Thanks! " + "That was a long story of rain and wind. " * 80
"""Nothing but thanks, in about 800 tokens."""


@pytest.fixture(scope="module")
def overheard() -> Overheard:
    return Overheard()


@pytest.fixture(scope="module")
def model_url(overheard: Overheard) -> Iterator[str]:
    with serving(overheard) as (url, _):
        yield f"{url}/v1"


@pytest.fixture(autouse=True)
def nothing_heard(overheard: Overheard) -> None:
    overheard.forget()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def small(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str, model_url: str
) -> Iterator[Product]:
    """A product that shows its model little, on each database."""
    changes = by_model(model_url) | {
        "chat_context_tokens": BUDGET,
        "chat_turn_seconds": 12,
        "model_retries": 0,
    }
    with (
        templates.clone(request.param) as url,
        product(settings_for(url, **changes), booking_url=booking_url) as running,
    ):
        yield running


async def detail(talk: Conversation) -> Any:
    return (await talk.ask("GET", "")).json


async def summaries(talk: Conversation) -> list[Any]:
    items: list[Any] = (await talk.ask("GET", "/summaries")).json["items"]
    return items


def summary_states(events: list[Event]) -> list[str]:
    return [e.data["data"]["state"] for e in events if e.data != "[DONE]"
            and e.data["type"] == "data-summary"]  # fmt: skip


async def test_a_booking_crosses_the_budget_and_is_still_made(
    small: Product, overheard: Overheard, booking: Booking
) -> None:
    talk = await opened(small)
    await talk.say(order("11:30"))
    assert (await detail(talk))["summary"] is None
    told = await talk.say(LONG)
    assert told["state"] == "succeeded"
    summary = (await detail(talk))["summary"]
    assert summary is not None
    for fact in ("MH12AB1234", "MSIL-PUNE-001", "11:30", "Hinjewadi"):
        assert fact in summary["text"]
    asked = await talk.say("9876543210, regular, yes")
    assert asked["state"] == "waiting_approval"
    await talk.decide(asked["approvals"][0], "approve")
    done = await talk.wait()
    assert (done["state"], tools(done)[-2:]) == (
        "succeeded", ["create_service_booking", "get_booking_status"],
    )  # fmt: skip
    assert booking.rows(booking_id(done["text"]))
    assert overheard.shown_summary
    assert all(size(conversation(messages)) <= BUDGET for messages in overheard.asked)


async def test_a_summary_is_no_message_and_hides_none(small: Product) -> None:
    talk = await opened(small)
    await talk.say(order("12:00"))
    await talk.say(LONG)
    [summary] = await summaries(talk)
    messages = await talk.messages("all")
    assert [message["sequence"] for message in messages] == [1, 2, 3, 4]
    assert {message["role"] for message in messages} == {"user", "assistant"}
    assert (summary["until_id"], summary["messages"], summary["whole"]) == (
        messages[1]["id"], 2, True,
    )  # fmt: skip
    assert (await talk.ask("GET", "/branches")).json["forks"] == []
    exported = (await talk.ask("GET", "/export?format=json")).json
    assert len(exported["messages"]) == 4
    [masked] = exported["summaries"]
    assert "MSIL-PUNE-001" in masked["text"]
    assert "MH12AB1234" not in masked["text"]
    markdown = await talk.ask("GET", "/export?format=markdown")
    assert summary["text"].splitlines()[0].encode() not in markdown.body


async def test_what_a_summary_takes_is_part_of_its_turn(
    small: Product, overheard: Overheard
) -> None:
    talk = await opened(small)
    await talk.say(order("14:00"))
    overheard.forget()
    told = await talk.say(LONG)
    [summary] = await summaries(talk)
    usage = told["usage"]
    assert summary["run_id"] == talk.runs[-1]
    assert (len(overheard.records), len(overheard.asked)) == (1, 1)
    assert usage["model_requests"] == 2
    assert usage["input_tokens"] > summary["input_tokens"] > 0
    assert usage["output_tokens"] > summary["output_tokens"] > 0
    statistics = (await talk.ask("GET", "/statistics")).json
    assert statistics["input_tokens"] == sum(
        message["input_tokens"] for message in await talk.messages()
    )


async def heard(talk: Conversation, overheard: Overheard, text: str) -> list[Event]:
    """The whole stream of a turn, which is listened to before its summary is there."""
    overheard.may_answer.clear()
    await talk.begin(text)
    live = []
    async with talk.following() as events:
        async for event in events:
            live.append(event)
            if summary_states([event]) == ["making"]:
                overheard.may_answer.set()
    return live


async def test_the_stream_says_that_earlier_messages_are_summarised(
    small: Product, overheard: Overheard
) -> None:
    talk = await opened(small)
    await talk.say(order("15:00"))
    live = await heard(talk, overheard, LONG)
    assert summary_states(live) == ["making", "made"]
    [summary] = await summaries(talk)
    made = next(e.data for e in live if summary_states([e]) == ["made"])
    assert made["data"]["summary_id"] == summary["id"]
    again = await talk.listen()
    assert summary_states(again) == ["made"]
    assert (kinds(again)[0], said(again)) == ("start", said(live))


async def test_a_later_summary_is_made_of_the_earlier_one_and_what_came_since(
    small: Product, overheard: Overheard
) -> None:
    talk = await opened(small)
    await talk.say(order("16:00"))
    while len(await summaries(talk)) < 2:
        await talk.say(LONG)
    first, second = await summaries(talk)
    assert overheard.records[1][0] == {"summary": first["text"]}
    assert "MH12AB1234" not in str(overheard.records[1][1:])
    assert second["messages"] > first["messages"]
    assert "MSIL-PUNE-001" in second["text"]
    assert overheard.shown_summary == second["text"]
    assert (await detail(talk))["summary"]["id"] == second["id"]


async def test_a_branch_without_what_was_summarised_is_not_shown_it(
    small: Product, overheard: Overheard
) -> None:
    talk = await opened(small)
    await talk.say(order("16:30"))
    await talk.say(LONG)
    question, _, second, _ = await talk.messages()
    [made] = await summaries(talk)
    await talk.begin("Hello again", edit_id=second["id"])
    await talk.wait()
    assert overheard.shown_summary == made["text"]
    await talk.begin("Hello", edit_id=question["id"])
    await talk.wait()
    assert [message["content"] for message in overheard.shown] == ["Hello"]
    assert (await detail(talk))["summary"] is None
    assert await summaries(talk) == [made]


@pytest.mark.parametrize("trouble", ["error", "nothing", "silence"])
async def test_a_summary_that_fails_fails_no_turn(
    small: Product, overheard: Overheard, trouble: Any
) -> None:
    talk = await opened(small)
    await talk.say(LONG)
    await talk.say("Hello")
    overheard.forget(trouble)
    events = await heard(talk, overheard, LONG)
    ended = await talk.wait()
    assert (ended["state"], summary_states(events)) == ("succeeded", ["making", "failed"])
    assert ended["text"]
    assert await summaries(talk) == []
    assert overheard.shown_summary is None
    assert size(overheard.shown) <= BUDGET
    overheard.forget()
    assert (await talk.say(LONG))["state"] == "succeeded"
    assert overheard.records == [], "what has just failed is left alone for a while"


async def test_stopping_ends_a_summary_too(small: Product, overheard: Overheard) -> None:
    talk = await opened(small)
    await talk.say(LONG)
    await talk.say("Hello")
    overheard.forget("silence")
    await talk.begin(LONG)
    async with talk.following() as events:
        async for event in events:
            if summary_states([event]):
                break
        assert (await talk.ask("POST", "/stop")).status == 202
    ended = await talk.wait()
    assert (ended["state"], ended["text"]) == ("stopped", "")
    overheard.forget()
    assert (await talk.say(LONG))["state"] == "succeeded"
    assert (await detail(talk))["summary"] is not None


async def test_another_persons_summaries_are_not_shown(small: Product) -> None:
    talk = await opened(small, role="administrator")
    reply = await small.request("GET", f"{BASE}/{talk.id}/summaries")
    assert (reply.status, reply.json["code"]) == (404, "chat_session_not_found")


@pytest.fixture(scope="module")
def forgetful(templates: Templates, booking_url: str, model_url: str) -> Iterator[Product]:
    """A product that makes no summaries, and shows hardly a result of an earlier turn whole."""
    changes = by_model(model_url) | {
        "chat_summaries": False,
        "chat_context_tokens": BUDGET,
        "chat_result_tokens": 60,
    }
    with (
        templates.clone("sqlite") as url,
        product(settings_for(url, **changes), booking_url=booking_url) as running,
    ):
        yield running


async def test_large_results_of_old_turns_are_references_and_can_be_had_again(
    forgetful: Product, overheard: Overheard
) -> None:
    talk = await opened(forgetful)
    first = await talk.say(order("10:30"))
    await talk.say("thanks")
    whole = [each["content"] for each in overheard.shown if each["role"] == "tool"]
    assert not any(text.startswith(LEFT_OUT) for text in whole), "the last turn is shown as it was"
    await talk.say("thanks")
    shown = [each["content"] for each in overheard.shown if each["role"] == "tool"]
    short = [text for text in shown if text.startswith(LEFT_OUT)]
    assert len(short) >= 2
    calls = {use["tool"]: use for use in first["tool_calls"]}
    [dealers] = [text for text in short if "get_nearby_dealers" in text]
    assert calls["get_nearby_dealers"]["id"] in dealers
    assert "dealers (" in dealers
    assert "call get_nearby_dealers again" in dealers
    kept = (await talk.ask("GET", "/executions")).json["items"]
    assert kept[1]["result"]["dealers"], "what people see stays as it was"
    again = await talk.say("Which dealers are near Hinjewadi, Pune?")
    assert "get_nearby_dealers" in tools(again)


async def test_without_summaries_older_turns_are_left_out(
    forgetful: Product, overheard: Overheard
) -> None:
    talk = await opened(forgetful)
    for _ in range(4):
        await talk.say(LONG)
    assert overheard.records == []
    assert size(overheard.shown) <= BUDGET
    assert overheard.shown[0]["role"] == "user"


@pytest.fixture(scope="module")
def sparing(templates: Templates, booking_url: str, model_url: str) -> Iterator[Product]:
    """A product that allows a turn one request to the model."""
    changes = by_model(model_url) | {"chat_turn_model_requests": 1, "chat_context_tokens": BUDGET}
    with (
        templates.clone("sqlite") as url,
        product(settings_for(url, **changes), booking_url=booking_url) as running,
    ):
        yield running


async def test_a_turn_with_no_request_to_spare_makes_no_summary(
    sparing: Product, overheard: Overheard
) -> None:
    talk = await opened(sparing)
    for _ in range(4):
        assert (await talk.say(LONG))["state"] == "succeeded"
    assert overheard.records == []


@pytest.mark.parametrize(
    ("taken", "cost", "spares"),
    [
        ({}, 0, True),
        ({"model_requests": 2}, 0, True),
        ({"model_requests": 3}, 0, False),
        ({"tokens": TokenUsage(prompt=800)}, 0, True),
        ({"tokens": TokenUsage(prompt=801)}, 0, False),
        ({}, Decimal("0.5"), True),
        ({"cost_nanos": 1}, Decimal("0.5"), False),
        ({}, None, True),
    ],
)
def test_a_summary_takes_half_of_what_a_turn_has_left_at_most(
    taken: dict[str, Any], cost: Any, spares: bool
) -> None:
    limits = {"chat_turn_model_requests": 4, "chat_turn_tokens": 1_000, "chat_turn_cost_usd": 1}
    meter = Meter(Settings(_env_file=None, **limits), **taken)
    assert meter.spares(TokenUsage(prompt=90, completion=10), Cost(cost)) is spares


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_happens_the_budget_holds_and_no_call_is_orphaned(
    small: Product, overheard: Overheard, seed: int
) -> None:
    """The model refuses a call without its result, so that a turn which succeeds had none."""
    dice = random.Random(seed)
    talk = await opened(small)
    for number in range(14):
        mark = f"No. {seed}/{number}."
        text = f"{mark} " + dice.choice([LONG, "Hello", "thanks", order("09:30"), "9876543210 yes"])
        overheard.forget(dice.choice([None, None, None, "error"]))
        messages = await talk.messages()
        questions = [message["id"] for message in messages if message["role"] == "user"]
        edit = {"edit_id": dice.choice(questions)} if questions and dice.random() < 0.2 else {}
        await talk.begin(text, **edit)
        if dice.random() < 0.25:
            await talk.ask("POST", "/stop")
        ended = await talk.wait()
        if dice.random() < 0.5:
            for asked in ended["approvals"]:
                await talk.decide(asked, dice.choice(["approve", "decline"]))
                ended = await talk.wait()
        assert ended["state"] in {"succeeded", "stopped", "waiting_approval"}
        for said_there in overheard.asked:
            shown = conversation(said_there)
            newest = max(n for n, each in enumerate(shown) if mark in (each["content"] or ""))
            assert size(shown) <= BUDGET or newest == 0
            assert all(unframed(each["content"] or "") is None for each in shown[1:])
        assert not any(mark in str(record) for record in overheard.records)
    by_id = {message["id"]: message for message in await talk.messages("all")}
    for summary in await summaries(talk):
        covered, at = 0, summary["until_id"]
        while at is not None:
            covered, at = covered + 1, by_id[at]["parent_id"]
        assert summary["messages"] == covered
