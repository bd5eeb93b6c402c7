"""The chunks of a run on their way to the bus, in batches, numbered without a gap.

The first words after anything else go out at once: somebody waits for them.

Numbers belong to an epoch: where the bus no longer has the beginning of a run that goes on, the
beginning is published once more from the database, under a new epoch.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from msil_mcp.bus import Bus, BusUnavailable
from msil_mcp.sealing import random_hex

log = structlog.get_logger()

BATCH_SECONDS: Final = 0.06
LATE_BATCH_SECONDS: Final = 0.25
EARLY_BATCHES: Final = 500
"""After so many, batches come slower: the bus keeps a bounded number of events of a topic."""
BATCH_BYTES: Final = 512 << 10
LARGEST_CHUNK: Final = 900 << 10
RETRIES: Final = 20
WORDS: Final = '{"type":"text-delta"'


class Batch(msgspec.Struct, omit_defaults=True):
    """What one event of a run's topic carries.

    `first` is the number of the first chunk; 0 for an end that somebody else than the owner says.
    `rebuilt` chunks repeat what an earlier epoch has said.
    """

    epoch: str = ""
    first: int = 0
    chunks: list[str] = []
    end: bool = False
    rebuilt: bool = False


_encoder = msgspec.json.Encoder()


def topic_of(run_id: str) -> str:
    """Where a run is told."""
    return f"run:{run_id}"


class Publisher:
    """Takes chunks at once and publishes them in the background; `end` waits until all are out."""

    def __init__(self, bus: Bus, run_id: str, *, epoch: str = "", number: int = 0) -> None:
        self._bus = bus
        self._topic = topic_of(run_id)
        self._epoch = epoch or random_hex(4)
        self._number = number
        self._chunks: list[str] = []
        self._something = asyncio.Event()
        self._urgent = asyncio.Event()
        self._speaks = False
        self._batches = 0
        self._ended = False
        self._task = asyncio.create_task(self._publish_for_ever(), name="run-chunks")

    def add(self, encoded: str) -> None:
        """Hand over a chunk."""
        if len(encoded) > LARGEST_CHUNK:
            log.warning("run_chunk_too_large", size=len(encoded))
            encoded = '{"type":"data-omitted","data":{"reason":"too large to be streamed"}}'
        spoke, self._speaks = self._speaks, encoded.startswith(WORDS)
        if self._speaks and not spoke:
            self._urgent.set()
        self._chunks.append(encoded)
        self._something.set()

    async def publish_rebuilt(self, chunks: Sequence[str]) -> None:
        """Say the beginning of the run once more, for who comes later."""
        for encoded in chunks:
            first = self._number + 1
            batch = Batch(epoch=self._epoch, first=first, chunks=[encoded], rebuilt=True)
            await self._publish(batch)
            self._number = first

    async def flush(self) -> None:
        """Publish what is there; nothing more is taken."""
        self._ended = True
        self._something.set()
        self._urgent.set()
        await self._task

    async def end(self) -> None:
        """Publish what is there, and that nothing follows."""
        await self.flush()
        await self._publish(Batch(epoch=self._epoch, first=self._number + 1, end=True))

    async def _publish_for_ever(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._chunks:
                self._urgent.clear()
                chunks = self._take()
                batch = Batch(epoch=self._epoch, first=self._number + 1, chunks=chunks)
                await self._publish(batch)
                self._number += len(chunks)
            if self._ended:
                return
            await self._pause()

    async def _pause(self) -> None:
        """Let a batch gather, unless something in it must not wait."""
        late = self._batches > EARLY_BATCHES
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_BATCH_SECONDS if late else BATCH_SECONDS):
                await self._urgent.wait()

    def _take(self) -> list[str]:
        size = count = 0
        while count < len(self._chunks) and size < BATCH_BYTES:
            size += len(self._chunks[count].encode())
            count += 1
        if count > 1 and size > BATCH_BYTES:
            count -= 1
        taken, self._chunks = self._chunks[:count], self._chunks[count:]
        return taken

    async def _publish(self, batch: Batch) -> None:
        """Repeated when it is not certain: readers know the numbers they have seen."""
        self._batches += 1
        payload = _encoder.encode(batch)
        for attempt in range(RETRIES):
            try:
                await self._bus.publish(self._topic, payload)
            except BusUnavailable:
                if self._ended and attempt > 2:
                    break
                await asyncio.sleep(0.25)
            else:
                return
        log.warning("run_chunks_not_published", topic=self._topic, chunks=len(batch.chunks))


async def continued(bus: Bus, run_id: str, *, so_far: Sequence[str]) -> Publisher:
    """A publisher for a run that goes on, with the numbers that follow those on the bus."""
    try:
        epoch, first, last = await _told(bus, run_id)
    except BusUnavailable:
        # Who listens reads on in a new epoch; the answer does not wait for listeners.
        return Publisher(bus, run_id)
    if first == 1:
        return Publisher(bus, run_id, epoch=epoch, number=last)
    publisher = Publisher(bus, run_id)
    await publisher.publish_rebuilt(so_far)
    return publisher


async def _told(bus: Bus, run_id: str) -> tuple[str, int, int]:
    """The epoch that the bus has last, with its first and last number."""
    epoch, first, last = "", 0, 0
    for batch in await kept_batches(bus, run_id):
        if not batch.first:
            continue
        if batch.epoch != epoch:
            epoch, first = batch.epoch, batch.first
        last = batch.first + len(batch.chunks) - 1
    return epoch, first, last


async def kept_batches(bus: Bus, run_id: str) -> list[Batch]:
    """Everything the bus still has of a run; raises BusUnavailable."""
    return [
        msgspec.json.decode(event.payload, type=Batch) for event in await bus.kept(topic_of(run_id))
    ]


async def announce_end(bus: Bus, run_id: str, chunks: Sequence[str]) -> None:
    """Say that a run has ended whose owner cannot say it; who does not hear it sees it stored."""
    try:
        await bus.publish(topic_of(run_id), _encoder.encode(Batch(chunks=list(chunks), end=True)))
    except BusUnavailable:
        log.warning("run_end_not_announced", run_id=run_id)
