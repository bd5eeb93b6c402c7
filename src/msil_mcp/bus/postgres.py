"""The bus of replicas: rows for order and replay, NOTIFY to wake, one connection to listen.

Publishing takes an advisory lock until its commit, so that ids appear in the order in which they
were given out, and "everything above the last id seen" never misses a row. Whoever was
disconnected asks for the same when it is back.
"""

import asyncio
import os
import random
import socket
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection
from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.bus.events import (
    RETENTION_SECONDS,
    BusInterrupted,
    BusUnavailable,
    Event,
    check_publishable,
)
from msil_mcp.bus.fanout import Fanout, Queue, split
from msil_mcp.bus.models import BusEvent
from msil_mcp.db.database import Database, utc_now

log = structlog.get_logger()

CHANNEL: Final = "msil_bus"
LOCK: Final = 0x6D73696C_627573
CLEANUP_LOCK: Final = LOCK + 1
BATCH: Final = 512
BATCH_BYTES: Final = 4 << 20
PAGE: Final = 256
HEARTBEAT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 3
RECONNECT_SECONDS: Final = (0.05, 2.0)
CLEANUP_SECONDS: Final = 60.0
START_SECONDS: Final = 5.0
STOP_SECONDS: Final = 0.5

_INSERT: Final = """
    INSERT INTO bus_events (topic, payload, at)
    SELECT topic, payload, now()
    FROM unnest(%s::text[], %s::bytea[]) WITH ORDINALITY AS sent (topic, payload, place)
    ORDER BY place
    RETURNING id
"""
_NEWER: Final = "SELECT id, topic, payload FROM bus_events WHERE id > %s ORDER BY id LIMIT %s"
_LATEST: Final = "SELECT coalesce(max(id), 0) FROM bus_events"


class _Sending:
    """One event on its way into the table."""

    __slots__ = ("done", "payload", "topic")

    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic = topic
        self.payload = payload
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class PostgresBus:
    """Two connections of its own (one listens, one publishes); replay uses the pool."""

    def __init__(
        self,
        database: Database,
        *,
        start_seconds: float = START_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._database = database
        self._start_seconds = start_seconds
        self._answer_seconds = answer_seconds
        url = database.url.set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._fanout = Fanout()
        self._sending: deque[_Sending] = deque()
        self._anything = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._publishing: AsyncConnection | None = None
        self._listening: AsyncConnection | None = None
        self._seen: int | None = None
        self._published = 0
        self._heard = 0.0
        self._connected = asyncio.Event()
        self._open = False

    async def start(self) -> None:
        """Wait until events of other processes arrive."""
        self._open = True
        self._tasks = [
            asyncio.create_task(self._listen_for_ever(), name="bus-listen"),
            asyncio.create_task(self._publish_for_ever(), name="bus-publish"),
            asyncio.create_task(self._clean_for_ever(), name="bus-clean"),
        ]
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._connected.wait()
        except TimeoutError:
            await self.close()
            raise BusUnavailable from None

    async def close(self) -> None:
        """Publish what is queued, if that goes quickly, then stop."""
        self._open = False
        if self._connected.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._answer_seconds):
                    await self._idle.wait()
        while self._tasks:
            # A second cancellation ends psycopg's wait for a server that does not answer.
            for task in self._tasks:
                task.cancel()
            _, pending = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            self._tasks = list(pending)
        self._connected.clear()
        _fail(self._sending)
        self._sending.clear()
        if self._publishing is not None:
            await self._publishing.close()
            self._publishing = None
        self._fanout.end_all(None)

    @property
    def connected(self) -> bool:
        """Whether the listening connection stands."""
        return self._connected.is_set()

    @property
    def last_heard(self) -> float:
        """When the table was last asked for newer events and answered."""
        return self._heard

    @property
    def listener_pid(self) -> int | None:
        """The server's process behind the listening connection, while there is one."""
        return self._listening.info.backend_pid if self._listening is not None else None

    async def publish(self, topic: str, payload: bytes) -> int:
        """Returns when the event is committed, together with all that were waiting."""
        check_publishable(topic, payload)
        if not self._open:
            raise BusUnavailable
        sending = _Sending(topic, payload)
        self._sending.append(sending)
        self._idle.clear()
        self._anything.set()
        return await sending.done

    async def kept(self, topic: str) -> Sequence[Event]:
        """See Bus."""
        found: list[Event] = []
        while page := await self._replay((topic,), after=found[-1].sequence if found else 0):
            found += page
            if len(page) < PAGE:
                break
        return found

    @asynccontextmanager
    async def subscribe(
        self, *topics: str, after: int | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """See Bus; replay is read page by page while live events queue up."""
        if not self._open:
            raise BusUnavailable
        with self._fanout.listening(topics) as queue:
            # Own events may be committed and not yet have come back; they are from before.
            last = self._published if after is None else after
            events = self._events(queue, topics, last, replay=after is not None)
            async with aclosing(events):
                yield events

    async def _events(
        self, queue: Queue, topics: tuple[str, ...], last: int, *, replay: bool
    ) -> AsyncGenerator[Event, None]:
        if replay:
            while page := await self._replay(topics, after=last):
                for event in page:
                    last = event.sequence
                    yield event
                if len(page) < PAGE:
                    break
        while (live := await queue.next()) is not None:
            if live.sequence > last:
                yield live

    async def _replay(self, topics: tuple[str, ...], *, after: int) -> list[Event]:
        exact, prefixes = split(topics)
        wanted: list[ColumnElement[bool]] = [BusEvent.topic.in_(exact)] if exact else []
        wanted += [func.starts_with(BusEvent.topic, prefix) for prefix in prefixes]
        query = (
            select(BusEvent.topic, BusEvent.id, BusEvent.payload)
            .where(BusEvent.id > after, or_(*wanted))
            .order_by(BusEvent.id)
            .limit(PAGE)
        )
        try:
            async with self._database.reading() as session:
                return [Event(*row) for row in await session.execute(query)]
        except SQLAlchemyError as error:
            raise BusUnavailable from error

    # Listening

    async def _listen_for_ever(self) -> None:
        delay = RECONNECT_SECONDS[0]
        while True:
            try:
                self._listening = await self._connect()
                try:
                    await self._listen(self._listening)
                finally:
                    await self._listening.close()
                    self._listening = None
            except (psycopg.Error, OSError) as error:
                if self._connected.is_set():
                    log.warning("bus_disconnected", error=type(error).__name__)
                    delay = RECONNECT_SECONDS[0]
                self._connected.clear()
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - only spreads
            delay = min(delay * 2, RECONNECT_SECONDS[1])

    async def _listen(self, connection: AsyncConnection) -> None:
        with self._answering(connection):
            await connection.execute(f"LISTEN {CHANNEL}")
            if self._seen is None:
                row = await (await connection.execute(_LATEST)).fetchone()
                self._seen = row[0] if row else 0
            elif time.monotonic() - self._heard > RETENTION_SECONDS:
                self._fanout.end_all(BusInterrupted())
        while True:
            with self._answering(connection):
                await self._deliver_newer(connection)
            if not self._connected.is_set():
                self._connected.set()
                log.info("bus_connected")
            async for _ in connection.notifies(timeout=HEARTBEAT_SECONDS, stop_after=1):
                pass

    async def _deliver_newer(self, connection: AsyncConnection) -> None:
        while True:
            cursor = await connection.execute(_NEWER, (self._seen, PAGE), binary=True)
            rows = await cursor.fetchall()
            self._heard = time.monotonic()
            for number, topic, payload in rows:
                self._seen = number
                self._fanout.deliver(Event(topic, number, payload))
            if len(rows) < PAGE:
                return

    async def _connect(self) -> AsyncConnection:
        async with asyncio.timeout(self._answer_seconds):
            return await AsyncConnection.connect(
                self._conninfo, autocommit=True, application_name="msil-mcp bus"
            )

    @contextmanager
    def _answering(self, connection: AsyncConnection) -> Iterator[None]:
        """Cuts the connection when the database takes too long.

        A timeout by cancelling would have psycopg ask the silent server to stop, and wait for
        that for ten seconds.
        """
        timer = asyncio.get_running_loop().call_later(self._answer_seconds, _cut, connection)
        try:
            yield
        finally:
            timer.cancel()

    # Publishing

    async def _publish_for_ever(self) -> None:
        while True:
            while not self._sending:
                self._idle.set()
                await self._anything.wait()
                self._anything.clear()
            self._idle.clear()
            batch = self._take()
            try:
                sequences = await self._insert(batch)
            except BaseException:
                _fail(batch)
                raise
            if sequences is None:
                _fail(batch)
                continue
            self._published = sequences[-1]
            for sending, sequence in zip(batch, sequences, strict=True):
                if not sending.done.done():
                    sending.done.set_result(sequence)

    def _take(self) -> list[_Sending]:
        """What goes into one transaction: everything queued, within reason."""
        batch: list[_Sending] = []
        size = 0
        while self._sending and len(batch) < BATCH and size < BATCH_BYTES:
            batch.append(self._sending.popleft())
            size += len(batch[-1].payload)
        return batch

    async def _insert(self, batch: list[_Sending]) -> list[int] | None:
        """The ids of a committed batch, or None when it is not certain that it was committed.

        What fails before the commit is tried once more on a new connection: a connection lost
        while idle shows only now.
        """
        for _ in range(2):
            committing = False
            try:
                if self._publishing is None or self._publishing.closed:
                    self._publishing = await self._connect()
                    with self._answering(self._publishing):
                        # A process stopped while it holds the lock must not stop the others.
                        await self._publishing.execute(
                            f"SET idle_in_transaction_session_timeout = '{ANSWER_SECONDS}s'"
                        )
                connection = self._publishing
                with self._answering(connection):
                    async with connection.pipeline():
                        await connection.execute("BEGIN")
                        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                        cursor = await connection.execute(
                            _INSERT,
                            ([one.topic for one in batch], [one.payload for one in batch]),
                        )
                        await connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
                        ids = [row[0] for row in await cursor.fetchall()]
                    committing = True
                    await connection.execute("COMMIT")
            except (psycopg.Error, OSError) as error:
                log.warning("bus_publish_failed", error=type(error).__name__, events=len(batch))
                if self._publishing is not None:
                    await self._publishing.close()
                    self._publishing = None
                if committing:
                    return None
            else:
                return ids
        return None

    # Retention

    async def _clean_for_ever(self) -> None:
        while True:
            await asyncio.sleep(CLEANUP_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311
            try:
                await self.clean()
            except SQLAlchemyError as error:
                log.warning("bus_cleanup_failed", error=type(error).__name__)

    async def clean(self) -> None:
        """Delete what is kept no longer, unless another process is at it."""
        limit = utc_now() - timedelta(seconds=RETENTION_SECONDS)
        async with self._database.unit_of_work() as session:
            alone = await session.scalar(select(func.pg_try_advisory_xact_lock(CLEANUP_LOCK)))
            if alone:
                await session.execute(delete(BusEvent).where(BusEvent.at < limit))


def _cut(connection: AsyncConnection) -> None:
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire, suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)


def _fail(batch: Iterable[_Sending]) -> None:
    for sending in batch:
        if not sending.done.done():
            sending.done.set_exception(BusUnavailable())
