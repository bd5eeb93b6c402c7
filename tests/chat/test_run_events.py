"""Who watches, and who subscribed, hears what becomes of answers, and nothing of what is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from chat.conversations import caller
from chat.conversing import BASE, Conversation, opened, order
from events.watching import SECONDS, Watcher, watching
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database, database_url
from running import Product
from webhooks.receiver import Posted, Receiver, receiving
from webhooks.test_webhooks_api import subscribed

pytestmark = pytest.mark.anyio

RUNS = ("run.started", "run.succeeded", "run.failed", "run.stopped", "run.interrupted")


class Ears:
    """A watcher of everything and a webhook for runs, which must hear the same."""

    def __init__(self, watcher: Watcher, receiver: Receiver) -> None:
        self._watcher = watcher
        self._receiver = receiver
        self._heard: list[Any] = []

    def _of(self, talk: Conversation) -> list[Any]:
        return [event for event in self._heard if event["data"]["session_id"] == talk.id]

    async def hear(self, talk: Conversation, *types: str) -> list[Any]:
        """The run events of a conversation, live in this order; their data."""
        while len(live := self._of(talk)) < len(types):
            event = await self._watcher.next()
            if event["type"] in RUNS:
                self._heard.append(event)
        assert tuple(event["type"] for event in live) == types
        posted: list[Posted] = []
        async with asyncio.timeout(SECONDS):
            while len(posted) < len(types):
                await self._receiver.until(len(self._receiver.posted) or 1)
                everything = self._receiver.posted
                posted = [one for one in everything if talk.id.encode() in one.body]
                if len(posted) < len(types):
                    await self._receiver.until(len(everything) + 1)
        assert sorted(one.event["type"] for one in posted) == sorted(types)
        assert {_named(event): event["data"] for event in live} == {
            _named(one.event): one.event["data"] for one in posted
        }
        return [event["data"] for event in live]


def _named(event: Any) -> tuple[str, str]:
    return event["type"], event["data"]["run_id"]


@asynccontextmanager
async def listening(product: Product) -> AsyncIterator[Ears]:
    async with receiving() as receiver, watching(product, "operator") as watcher:
        webhook, _ = await subscribed(product, receiver, *RUNS)
        yield Ears(watcher, receiver)
        await product.request("DELETE", f"/api/webhooks/{webhook}", role="administrator")


async def test_an_answer_is_told_of_when_it_begins_and_when_it_has_ended(
    chatting: Product,
) -> None:
    async with listening(chatting) as ears:
        talk = await opened(chatting)
        run = await talk.say("Who is the customer with the mobile number 9876543210?")
        assert run["state"] == "succeeded"
        begun, ended = await ears.hear(talk, "run.started", "run.succeeded")
        bad = await opened(chatting, model="no-such-model")
        failed = (await ears_of(ears, bad))[1]
    assert begun["run_id"] == ended["run_id"] == run["run_id"]
    assert begun["caller"]["id"].startswith("key:")
    assert begun["correlation_id"] == ended["correlation_id"]
    usage, told = run["usage"], ended["details"]
    for name in ("model", "model_requests", "tool_calls", "input_tokens", "output_tokens"):
        assert told[name] == usage[name], name
    assert told["first_token_ms"] == usage["first_token_ms"]
    assert ended["duration_ms"] > told["first_token_ms"]
    written = msgspec.json.encode([begun, ended]).decode()
    assert not [said for said in ("98*", "98765", "Aarav", "customer") if f'"{said}' in written]
    assert (failed["error"], failed["outcome"]) == ("model_not_allowed", "failed")


async def ears_of(ears: Ears, bad: Conversation) -> list[Any]:
    assert (await bad.say("Hello"))["state"] == "failed"
    return await ears.hear(bad, "run.started", "run.failed")


async def test_stopping_superseding_and_deleting_are_told_as_ends(chatting: Product) -> None:
    async with listening(chatting) as ears:
        stopped, superseded, deleted = [await opened(chatting) for _ in range(3)]
        await stopped.begin("What can you do for me?")
        assert (await stopped.ask("POST", "/stop")).status == 202
        assert (await stopped.wait())["state"] == "stopped"
        await ears.hear(stopped, "run.started", "run.stopped")
        for talk, time in ((superseded, "11:30"), (deleted, "14:30")):
            await talk.say(order(time))
            waits = await talk.say("9876543210, regular, yes")
            assert waits["state"] == "waiting_approval"
        await superseded.say("Hello")
        told = await ears.hear(
            superseded,
            *("run.started", "run.succeeded", "run.started", "run.stopped"),
            *("run.started", "run.succeeded"),
        )
        assert told[3]["run_id"] == superseded.runs[1]
        assert (await deleted.ask("DELETE", "")).status == 204
        *_, gone = await ears.hear(
            deleted, "run.started", "run.succeeded", "run.started", "run.stopped"
        )
        assert gone["run_id"] == deleted.runs[1]
    approvals = chatting.query("SELECT state FROM approvals WHERE session_id = :s", s=deleted.id)
    assert [row.state for row in approvals] == ["declined"]


async def test_an_answer_whose_server_died_is_told_of_to_its_owner(chatting: Product) -> None:
    who = await caller(chatting)
    database = Database(database_url(chatting.settings), pool_size=2)
    service = SessionService(database)
    async with listening(chatting) as ears, watching(chatting, "user") as own:
        chat = await service.create(who)
        words = (TextPart("hello"),)
        _, run = await service.begin_run(who, chat.id, words, owner="dead", lease_seconds=-1)
        talk = Conversation(chatting, chat.id)
        [told] = await ears.hear(talk, "run.interrupted")
        heard = await own.next()
        while heard["data"].get("run_id") != run.id:
            heard = await own.next()
    await database.close()
    assert heard["type"] == "run.interrupted"
    assert (told["run_id"], told["error"]) == (run.id, "run_interrupted")
    assert told["caller"]["id"] == "system:conversations"
    reply = await chatting.request("GET", f"{BASE}/{chat.id}")
    assert reply.json["active_run"] is None
