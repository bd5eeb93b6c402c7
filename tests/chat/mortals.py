"""A server that is killed again and again, and people who go on talking to it all the same."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from booking_api.schedule import SLOT_TIMES, india_now, next_open_day
from chat.conversing import Conversation, opened
from msil_mcp.settings import Settings
from product.forking import Nursery
from product.processes import ServerProcess
from running import Product, Reply

DETAILS = "9876543210, regular, yes"
GONE = (aiohttp.ClientError, ConnectionError)
ACTIVE = {"queued", "running"}
STARVED = "snapshot_stale"
"""What a server answers that did not get a processor for seconds."""
STARTS = 6
LONGEST_LIFE = 300
QUIET_SECONDS = 10.0
MARKED_WITHIN = 10.0
PATIENCE = 180.0


@dataclass
class Mortal:
    """One server at a time on one database; `product` is the one that lives now.

    A sibling, where the database allows one, lives all the time, and nobody talks to it.
    """

    settings: Settings
    env: dict[str, str]
    folder: Path
    keys: dict[str, str]
    nursery: Nursery
    backend: str
    process: ServerProcess | None = None
    sibling: ServerProcess | None = None
    product: Product = field(init=False)
    lives: asyncio.Event = field(default_factory=asyncio.Event)
    marked_after: list[float] = field(default_factory=list)
    _orphans: set[str] = field(default_factory=set)
    _watching: list["asyncio.Task[None]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.product = Product(self.settings, "", keys=self.keys)

    async def live(self) -> None:
        if self.backend == "postgresql" and self.sibling is None:
            self.sibling = await asyncio.to_thread(self.nursery.start, self.env, self.folder)
        self.process = await asyncio.to_thread(self._supervised)
        self.product.url = self.process.url
        self.lives.set()

    def _supervised(self) -> ServerProcess:
        """A server that is ready; one that gave up for want of a processor is started again."""
        for _ in range(STARTS - 1):
            process = self.nursery.start(self.env, self.folder)
            with suppress(AssertionError):
                process.wait_until_ready()
                return process
        process = self.nursery.start(self.env, self.folder)
        process.wait_until_ready()
        return process

    async def die(self) -> None:
        """Kill it, and begin to watch that what it was at is marked."""
        assert self.process is not None
        self.lives.clear()
        self.process.kill()
        killed = time.monotonic()
        orphans = await self._unmarked() - self._orphans
        self._orphans |= orphans
        self._watching.append(asyncio.create_task(self._watch(orphans, killed)))

    async def watched(self) -> None:
        await asyncio.gather(*self._watching)

    def stop(self) -> None:
        for process in (self.process, self.sibling):
            if process is not None:
                process.kill()

    async def _watch(self, orphans: set[str], killed: float) -> None:
        while orphans:
            left = orphans & await self._unmarked()
            after = time.monotonic() - killed
            self.marked_after += [after] * (len(orphans) - len(left))
            assert after < MARKED_WITHIN, f"not marked after {after:.1f} s: {left}"
            orphans = left
            await asyncio.sleep(0.1)

    async def _unmarked(self) -> set[str]:
        query = "SELECT id, owner FROM chat_runs WHERE state IN ('queued', 'running')"
        rows = await asyncio.to_thread(self.product.query, query)
        return {f"{row.id} of {row.owner}" for row in rows}


@dataclass
class Person:
    """Books one service, saying again what was interrupted, until it is done."""

    mortal: Mortal
    day: date
    time: str
    talk: Conversation | None = None
    acknowledged: dict[str, str] = field(default_factory=dict)
    approved: int = 0
    interrupted: int = 0

    @property
    def order(self) -> str:
        return (
            f"Book a service for MH12AB1234 on {self.day:%d %B %Y} at {self.time} near Baner, Pune"
        )

    async def book(self) -> None:
        """All of it: asks, gives the details, agrees, and says goodbye."""
        view = await self.say(self.order, until="succeeded")
        while view["state"] != "waiting_approval":
            view = await self.say(DETAILS, until="waiting_approval")
            if view["state"] == "succeeded":
                # A booking that was cut off before anybody was asked is not tried by itself.
                await self.say(self.order, until="succeeded")
        await self.agree(view["run_id"])
        await self.say("Hello", until="succeeded")

    async def say(self, text: str, *, until: str) -> Any:
        """The view of a turn that was not interrupted."""
        while True:
            begun = await self._begun(text)
            self.acknowledged[begun["message_id"]] = text
            view = await self._settled(begun["run_id"])
            if view["state"] in {until, "succeeded"}:
                return view
            assert view["state"] == "interrupted" or view["usage"]["error"] == STARVED, view
            self.interrupted += 1

    async def agree(self, run_id: str) -> None:
        view = await self._settled(run_id)
        while view["state"] == "waiting_approval":
            [asked] = view["approvals"]
            reply = await self._insisting(self._agreement, asked)
            assert reply.status in {202, 404, 409}, reply.body
            self.approved = 1
            view = await self._settled(run_id)
        assert view["state"] in {"succeeded", "interrupted"}, view

    async def _agreement(self, asked: Any) -> Reply:
        return await (await self._talk()).decide(asked, "approve")

    async def _begun(self, text: str) -> Any:
        """The acknowledged turn; the same words sent twice for want of an answer are one turn."""
        body = {"text": text, "client_id": uuid4().hex}
        deadline = time.monotonic() + PATIENCE
        while True:
            reply = await self._insisting(self._asking, "/turns", body)
            if reply.status == 202:
                return reply.json
            assert reply.json["code"] == "chat_run_active", reply.body
            assert time.monotonic() < deadline, "a dead run still holds the conversation"
            await asyncio.sleep(0.1)

    async def _settled(self, run_id: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            reply = await self._insisting(self._asking, f"/turns/{run_id}/wait", None)
            if reply.status == 200 and reply.json["state"] not in ACTIVE:
                return reply.json
            assert time.monotonic() < deadline, reply.body
            await asyncio.sleep(0.1)

    async def _asking(self, path: str, body: Any) -> Reply:
        return await (await self._talk()).ask("POST", path, json=body)

    async def _talk(self) -> Conversation:
        while self.talk is None:
            await self.mortal.lives.wait()
            with suppress(*GONE):
                self.talk = await opened(self.mortal.product)
        return self.talk

    async def _insisting(self, ask: Callable[..., Awaitable[Reply]], *given: Any) -> Reply:
        """The answer of a server that lived long enough to give it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.mortal.lives.wait()
                with suppress(*GONE):
                    return await ask(*given)
                await asyncio.sleep(0.02)


class Calendar:
    """Days and times no two people share."""

    def __init__(self) -> None:
        self._day = next_open_day(india_now().date())
        self._times = iter(SLOT_TIMES)

    def take(self) -> tuple[date, str]:
        found = next(self._times, None)
        if found is None:
            self._day, self._times = next_open_day(self._day), iter(SLOT_TIMES)
            found = next(self._times)
        return self._day, found


async def _last(pulse: Callable[[], int], moments: int) -> None:
    """Until so much has happened, or nothing does."""
    end = pulse() + moments
    with suppress(TimeoutError):
        async with asyncio.timeout(QUIET_SECONDS):
            while pulse() < end:  # noqa: ASYNC110 the witnesses count on other threads
                await asyncio.sleep(0.005)


@asynccontextmanager
async def talking(
    mortal: Mortal, *, kills: int, crowd: int, pulse: Callable[[], int], chance: random.Random
) -> AsyncIterator[list[Person]]:
    """So many deaths while people talk, then a life in which everybody comes to an end.

    Whoever has booked makes room for somebody else: that many talk at a time. How long a life is
    follows from what happens in it, which `pulse` counts, and not from how quick the machine is.
    """
    calendar, people = Calendar(), list[Person]()
    booking: list[asyncio.Task[None]] = []
    try:
        for _ in range(kills):
            await mortal.live()
            for _ in range(crowd - sum(not task.done() for task in booking)):
                people.append(Person(mortal, *calendar.take()))
                booking.append(asyncio.create_task(people[-1].book()))
            await _last(pulse, chance.randrange(LONGEST_LIFE))
            await asyncio.sleep(chance.uniform(0, 0.1))
            await mortal.die()
        await mortal.live()
        await asyncio.gather(*booking)
        await mortal.watched()
        yield people
    finally:
        for task in booking:
            task.cancel()
        await asyncio.gather(*booking, return_exceptions=True)
        mortal.stop()
