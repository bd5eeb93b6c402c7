"""Follows a run from anywhere: any process, after a reload, and after it has ended."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

import msgspec
from sqlalchemy import select

from msil_mcp.bus import Bus, BusInterrupted, Event, SubscriberTooSlow
from msil_mcp.chat import wire
from msil_mcp.chat.models import ACTIVE_STATES, ChatRun
from msil_mcp.chat.publishing import Batch, topic_of
from msil_mcp.chat.replaying import ending, stored_chunks
from msil_mcp.chat.turn_errors import RunNotFound
from msil_mcp.db.database import Database, utc_now
from msil_mcp.locales import Language

FIRST_LOOK_SECONDS: Final = 0.3
LOOK_SECONDS: Final = 5.0
LAST_WORDS: Final = timedelta(seconds=2)
_decoder = msgspec.json.Decoder(Batch)


@dataclass(frozen=True, slots=True)
class Place:
    """The last chunk a reader has seen; an empty epoch is whichever there is."""

    epoch: str
    number: int

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """From a Last-Event-ID; what is none is the beginning."""
        epoch, _, number = (text or "").strip().rpartition(".")
        return cls(epoch[:16], int(number)) if number.isdecimal() and len(number) < 10 else None


async def run_of(database: Database, session_id: str, run_id: str) -> ChatRun:
    """A run of this very session, as it is now."""
    async with database.reading() as session:
        query = select(ChatRun).where(ChatRun.id == run_id, ChatRun.session_id == session_id)
        run = (await session.scalars(query)).one_or_none()
    if run is None:
        raise RunNotFound
    return run


class Tail:
    """One reader of one run."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        run: ChatRun,
        after: Place | None,
        language: Language,
    ) -> None:
        self._database = database
        self._bus = bus
        self._run = run
        self._language = language
        self._epoch = after.epoch if after else ""
        self._number = after.number if after else 0
        self._resumes = after is not None
        self._said = False
        self._gap = False
        self._skips = False

    async def events(self, ending_now: asyncio.Event) -> AsyncGenerator[bytes, None]:
        """Server-sent events until the run ends, or this process is about to."""
        if self._has_ended and not self._resumes:
            yield b"".join(await self._from_store())
            return
        async with self._bus.subscribe(topic_of(self._run.id), after=0) as kept:
            stopping = asyncio.ensure_future(ending_now.wait())
            following = asyncio.ensure_future(anext(kept, None))
            patience = FIRST_LOOK_SECONDS
            try:
                while not stopping.done():
                    await asyncio.wait(
                        {stopping, following}, timeout=patience,
                        return_when=asyncio.FIRST_COMPLETED,
                    )  # fmt: skip
                    if not following.done():
                        patience = LOOK_SECONDS
                        pieces, over = await self._nothing_new()
                    else:
                        try:
                            event = following.result()
                        except (BusInterrupted, SubscriberTooSlow):
                            # Without an end, so that the reader comes back with its last number.
                            return
                        if event is None:
                            return
                        patience = LOOK_SECONDS
                        pieces, over = await self._heard(event)
                        following = asyncio.ensure_future(anext(kept, None))
                    if pieces:
                        yield b"".join(pieces)
                    if over:
                        return
            finally:
                for task in (stopping, following):
                    task.cancel()
                await asyncio.gather(stopping, following, return_exceptions=True)

    async def _heard(self, event: Event) -> tuple[Sequence[bytes], bool]:
        batch = _decoder.decode(event.payload)
        if batch.end:
            if self._gap or not (self._said or self._resumes):
                return await self._from_store(), True
            return [*map(wire.unnumbered, batch.chunks), wire.DONE], True
        return list(self._new(batch)), False

    def _new(self, batch: Batch) -> Iterator[bytes]:
        if batch.epoch != self._epoch and not self._follows(batch):
            self._gap = self._gap or not self._said
            return
        for number, encoded in enumerate(batch.chunks, batch.first):
            if number <= self._number:
                continue
            if batch.rebuilt and self._skips:
                self._number = number
                continue
            if number != self._number + 1:
                self._gap = True
            if self._gap:
                return
            self._number, self._said = number, True
            yield wire.event(f"{self._epoch}.{number}", encoded)

    def _follows(self, batch: Batch) -> bool:
        """Take a new epoch up; what it repeats is not said twice."""
        if self._epoch == "" and not self._said and (batch.first == 1 or self._resumes):
            self._epoch = batch.epoch
            return True
        if batch.first != 1:
            return False
        self._epoch, self._number, self._skips = batch.epoch, 0, self._said
        return True

    async def _nothing_new(self) -> tuple[Sequence[bytes], bool]:
        await self._look()
        if self._has_ended:
            if self._has_just_ended:
                return [wire.HEARTBEAT], False
            if self._said and not self._gap:
                rest = [
                    wire.unnumbered(encoded)
                    for encoded in ending(self._run, language=self._language)
                ]
                return [*rest, wire.DONE], True
            return await self._from_store(), True
        if self._run.state == "waiting_approval" and not self._said and not self._resumes:
            # Nothing of it is kept on the bus any more, and all of it is stored.
            self._said, self._gap = True, False
            self._epoch = "stored"
            return await self._stored(), False
        return [wire.HEARTBEAT], False

    async def _look(self) -> None:
        self._run = await run_of(self._database, self._run.session_id, self._run.id)

    @property
    def _has_ended(self) -> bool:
        return self._run.state not in ACTIVE_STATES

    @property
    def _has_just_ended(self) -> bool:
        """The end is stored before the last words are out, so they may be on their way."""
        ended = self._run.finished_at
        return self._said and ended is not None and utc_now() - ended < LAST_WORDS

    async def _from_store(self) -> Sequence[bytes]:
        await self._look()
        return [*await self._stored(), wire.DONE]

    async def _stored(self) -> list[bytes]:
        async with self._database.reading() as session:
            chunks = await stored_chunks(session, self._run, language=self._language)
            return [wire.unnumbered(one) for one in chunks]


async def until_settled(
    *, database: Database, bus: Bus, run: ChatRun, ending_now: asyncio.Event
) -> ChatRun:
    """Wait until the run has ended or waits for a person, or this process is about to stop."""
    async with bus.subscribe(topic_of(run.id), after=0) as events:
        following = asyncio.ensure_future(anext(events, None))
        try:
            while True:
                run = await run_of(database, run.session_id, run.id)
                if run.state not in {"queued", "running"} or ending_now.is_set():
                    return run
                await asyncio.wait({following}, timeout=1.0)
                while following.done() and following.result() is not None:
                    following = asyncio.ensure_future(anext(events, None))
                    await asyncio.sleep(0)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
