"""Servers killed in the middle of turns: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from booking_api.app import create_app as create_booking_app
from booking_api.settings import BookingSettings
from chat.conversing import Conversation, by_model, kinds, numbers, opened, said
from chat.mortals import MARKED_WITHIN, STARVED, Mortal, Person, talking
from chat.witnesses import BookingWitness, ModelWitness
from databases import Templates, settings_for
from msil_mcp.llm.scripted.server import create_app as create_model
from product.forking import Nursery
from product.processes import ServerProcess, environment
from running import Product, furnish, serving

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("MSIL_KILLS", "4"))
"""How many servers die at each database; `make faults` asks for more."""
CROWDS = {"sqlite": 4, "postgresql": 8}
"""People who talk at a time; where a lease has to end first, most of them wait for that."""


@pytest.fixture
def model() -> Iterator[tuple[str, ModelWitness]]:
    witness = ModelWitness(create_model(pace_seconds=0.005))
    with serving(witness) as (url, _):
        yield f"{url}/v1", witness


@pytest.fixture
def bookings(tmp_path: Path) -> Iterator[tuple[str, BookingWitness]]:
    app = create_booking_app(BookingSettings(data_dir=tmp_path / "booking", _env_file=None))
    witness = BookingWitness(app)
    with serving(witness) as (url, _):
        yield url, witness


def speaking(model_url: str) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": model_url,
        "OPENAI_MODEL": "openai:msil-scripted",
        "MSIL_DATABASE_POOL_SIZE": "8",
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(
    request: pytest.FixtureRequest,
    templates: Templates,
    bookings: tuple[str, BookingWitness],
    model: tuple[str, ModelWitness],
    tmp_path: Path,
) -> Iterator[Mortal]:
    with templates.clone(request.param) as url:
        settings = settings_for(url, **by_model(model[0]))
        keys = asyncio.run(furnish(settings, booking_url=bookings[0]))
        yield Mortal(
            settings,
            environment(url, tmp_path, **speaking(model[0])),
            tmp_path,
            keys,
            Nursery(),
            backend=request.param,
        )


async def check_messages(person: Person, texts: set[str]) -> None:
    """Nothing acknowledged is missing, and nothing is shown as more than it is."""
    assert person.talk is not None
    rows = await person.talk.messages(branch="all")
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    asked = {row["id"]: row["parts"][0]["text"] for row in rows if row["role"] == "user"}
    assert asked == person.acknowledged
    for row in (row for row in rows if row["role"] == "assistant"):
        said = [part["text"] for part in row["parts"] if part["type"] == "text"]
        if row["status"] == "complete":
            assert set(said) <= texts, "a half message is shown as whole"
        else:
            assert row["status"] == "interrupted", row
            assert set(said[:-1]) <= texts
            assert not said or any(text.startswith(said[-1]) for text in texts)
        calls = [part["call_id"] for part in row["parts"] if part["type"] == "tool_call"]
        results = [part["call_id"] for part in row["parts"] if part["type"] == "tool_result"]
        assert sorted(calls) == sorted(results), "a call without its one result"


def check_ends(mortal: Mortal) -> list[Any]:
    """Runs, their answers and their calls have ended, and say the same of it; the runs."""
    query = "SELECT id, state FROM tool_executions WHERE state IN ('intended', 'dispatched')"
    assert mortal.product.query(query) == []
    ended = mortal.product.query(
        "SELECT r.state, m.status, r.error FROM chat_runs r"
        " LEFT JOIN chat_messages m ON m.id = r.assistant_message_id"
    )
    whole = {("succeeded", "complete"), ("interrupted", "interrupted"), ("interrupted", None)}
    assert {(row.state, row.status) for row in ended if row.error != STARVED} <= whole
    return ended


def check_writes(person: Person, witness: BookingWitness) -> bool:
    """Whether the booking was made; never more than once, nor without being agreed to."""
    asked = witness.asked[person.day.isoformat(), person.time]
    assert asked <= person.approved, "a write was executed twice"
    assert person.talk is not None
    rows = person.mortal.product.query(
        "SELECT state FROM tool_executions WHERE session_id = :s AND tool_name = :t",
        s=person.talk.id,
        t="create_service_booking",
    )
    known = [row.state for row in rows if row.state == "succeeded"]
    assert len(known) <= asked
    return bool(known)


async def test_killed_servers_lose_nothing_they_acknowledged_and_write_nothing_twice(
    mortal: Mortal,
    bookings: tuple[str, BookingWitness],
    model: tuple[str, ModelWitness],
) -> None:
    seed = int(os.environ.get("MSIL_SEED", str(random.randrange(1 << 32))))
    print(f"seed {seed}")

    def pulse() -> int:
        return model[1].pieces + 10 * bookings[1].requests

    crowd, chance = min(CROWDS[mortal.backend], KILLS), random.Random(seed)
    async with talking(mortal, kills=KILLS, crowd=crowd, pulse=pulse, chance=chance) as people:
        for person in people:
            await check_messages(person, model[1].texts)
        made = [check_writes(person, bookings[1]) for person in people]
        ended = check_ends(mortal)
    interrupted = sum(person.interrupted for person in people)
    assert interrupted > 0, "no server died in the middle of anything"
    print(
        f"{KILLS} kills, {len(people)} conversations, {len(ended)} turns, "
        f"{len(mortal.marked_after)} orphans marked within {max(mortal.marked_after):.1f} s, "
        f"{interrupted} turns said again, {sum(made)} bookings known, "
        f"{sum(bookings[1].asked.values())} asked for"
    )


@pytest.fixture
def siblings(
    templates: Templates, booking_url: str, tmp_path: Path
) -> Iterator[tuple[tuple[Product, ServerProcess], Product]]:
    """Two server processes on one PostgreSQL database, and a model that takes its time."""
    with (
        templates.clone("postgresql") as url,
        serving(create_model(pace_seconds=0.04)) as (model_url, _),
        ExitStack() as stack,
    ):
        settings = settings_for(url, **by_model(f"{model_url}/v1"))
        keys = asyncio.run(furnish(settings, booking_url=booking_url))
        env, nursery = environment(url, tmp_path, **speaking(f"{model_url}/v1")), Nursery()
        servers = [nursery.start(env, tmp_path) for _ in range(2)]
        for server in servers:
            stack.callback(server.kill)
        for server in servers:
            server.wait_until_ready()
        here, there = (Product(settings, "", url=server.url, keys=keys) for server in servers)
        yield (here, servers[0]), there


async def test_a_stream_of_a_killed_server_is_whole_at_another_and_ends_as_interrupted(
    siblings: tuple[tuple[Product, ServerProcess], Product],
) -> None:
    (here, process), there = siblings
    talk = await opened(here)
    beside = Conversation(there, talk.id, talk.role, talk.runs)
    await talk.begin("What can you do for me?")
    elsewhere = asyncio.create_task(beside.listen())
    heard = []
    with suppress(aiohttp.ClientError):
        async with talk.following() as events:
            async for event in events:
                heard.append(event)
                if kinds(heard).count("text-delta") == 8:
                    process.kill()
    killed = time.monotonic()
    whole = await elsewhere
    assert time.monotonic() - killed < MARKED_WITHIN
    assert numbers(whole) == list(range(1, len(numbers(whole)) + 1))
    assert [event.data for event in whole[: len(heard)]] == [event.data for event in heard]
    assert kinds(whole)[-1] == "error"
    assert whole[-1].data == "[DONE]"
    rest = await beside.listen(after=heard[-1].number)
    assert [event.data for event in [*heard, *rest]] == [event.data for event in whole]
    [_, answer] = await beside.messages()
    assert (answer["status"], answer["parts"]) == (
        "interrupted",
        [{"type": "text", "text": said(whole)}],
    )
    again = await beside.listen()
    assert (said(again), kinds(again)[-1]) == (said(whole), "error")
    assert (await beside.say("Hello"))["state"] == "succeeded"
