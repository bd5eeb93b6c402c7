"""A server killed in the middle of turns: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chat.conversing import BOOKING_TOOLS, Conversation, by_model, opened, order
from databases import Templates, settings_for
from msil_mcp.settings import Settings
from product.processes import ServerProcess, environment, start
from running import Booking, Product, furnish

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("MSIL_KILLS", "1"))
"""How many servers die in the middle of an answer; `make faults` asks for more."""


@dataclass
class Mortal:
    """The product as a process of its own, started again and again on one database."""

    settings: Settings
    env: dict[str, str]
    folder: Path
    keys: dict[str, str]
    process: ServerProcess | None = None

    def live(self) -> Product:
        self.process = start(self.env, self.folder)
        self.process.wait_until_ready()
        return Product(self.settings, "", url=self.process.url, keys=self.keys)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(
    request: pytest.FixtureRequest,
    templates: Templates,
    booking_url: str,
    paced_model: str,
    tmp_path: Path,
) -> Iterator[Mortal]:
    with templates.clone(request.param) as url:
        settings = settings_for(url, **by_model(paced_model))
        model = {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": paced_model,
            "OPENAI_MODEL": "openai:msil-scripted",
        }
        keys = asyncio.run(furnish(settings, booking_url=booking_url))
        running = Mortal(settings, environment(url, tmp_path, **model), tmp_path, keys)
        try:
            yield running
        finally:
            if running.process is not None:
                running.kill()


async def ended(talk: Conversation, run: str, *, within: float) -> Any:
    """The run once it is marked, in time."""
    deadline = time.monotonic() + within
    while True:
        view = (await talk.ask("GET", f"/turns/{run}")).json
        if view["state"] not in {"queued", "running"}:
            return view
        assert time.monotonic() < deadline, view
        await asyncio.sleep(0.1)


def effects(product: Product, talk: Conversation) -> list[Any]:
    return product.query(
        "SELECT id, state FROM tool_executions WHERE session_id = :s AND tool_name = :t",
        s=talk.id,
        t=BOOKING_TOOLS[3],
    )


async def test_a_killed_server_loses_nothing_it_acknowledged(
    mortal: Mortal, booking: Booking
) -> None:
    chance = random.Random()
    product = mortal.live()
    talk = await opened(product)
    for number in range(KILLS):
        turn = await talk.begin(order("16:30"))
        await asyncio.sleep(chance.uniform(0.0, 0.9))
        mortal.kill()
        talk.product = mortal.live()
        marked = await ended(talk, turn["run_id"], within=10)
        assert marked["state"] in {"interrupted", "succeeded"}, number
        rows = await talk.messages()
        assert turn["message_id"] in {row["id"] for row in rows}
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        assert not [row for row in rows if row["status"] == "partial"]
        for row in rows:
            calls = {part["call_id"] for part in row["parts"] if part["type"] == "tool_call"}
            results = {part["call_id"] for part in row["parts"] if part["type"] == "tool_result"}
            assert calls == results, "a call without its result"
    first = await talk.say(order("16:30"))
    assert first["state"] == "succeeded", first
    asked = await talk.say("9876543210, regular, yes")
    [card] = asked["approvals"]
    try:
        async with asyncio.timeout(chance.uniform(0.01, 0.1)):
            await talk.decide(card, "approve")
    except (TimeoutError, aiohttp.ClientError):
        pass
    mortal.kill()
    talk.product = mortal.live()
    if (await ended(talk, talk.runs[-1], within=10))["state"] == "waiting_approval":
        await talk.decide(card, "approve")
        await talk.wait()
    assert len(effects(talk.product, talk)) <= 1
    assert (await talk.say("Hello"))["state"] == "succeeded"
