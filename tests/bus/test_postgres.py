"""Between processes: order, loss, latency and lost connections."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.engine import URL

from msil_mcp.bus import BusEvent, BusUnavailable, PostgresBus
from msil_mcp.bus.postgres import PAGE
from msil_mcp.db.database import Database, utc_now

pytestmark = pytest.mark.anyio

Maker = Callable[[], Awaitable[PostgresBus]]

PUBLISHER = """
import asyncio, sys
from sqlalchemy.engine import make_url
from msil_mcp.bus import PostgresBus
from msil_mcp.db.database import Database

async def main(url, topic, name, count):
    database = Database(make_url(url), pool_size=2)
    bus = PostgresBus(database)
    await bus.start()
    async def one(lane):
        for number in range(count):
            await bus.publish(topic, f"{name}.{lane}:{number}".encode())
    await asyncio.gather(*(one(lane) for lane in range(8)))
    await bus.close()
    await database.close()

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


async def killed_backends(url: URL) -> int:
    """Ends every bus connection in the database, as a failing network or an operator would."""
    async with await psycopg.AsyncConnection.connect(
        url.set(drivername="postgresql").render_as_string(), autocommit=True
    ) as connection:
        cursor = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'msil-mcp bus'"
        )
        return len(await cursor.fetchall())


async def test_two_processes_keep_order_and_lose_nothing_while_connections_are_killed(
    postgres: Maker, bus_database: URL
) -> None:
    topic = f"stress.{uuid4().hex}"
    listening = await postgres()
    count = 150
    expected = 2 * 8 * count
    heard: dict[str, list[int]] = {}
    sequences: list[int] = []
    async with listening.subscribe(topic) as events:
        url = bus_database.render_as_string()
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", PUBLISHER, url, topic, name, str(count)
            )
            for name in ("one", "two")
        ]
        async with asyncio.timeout(30):
            async for event in events:
                sequences.append(event.sequence)
                lane, _, number = event.payload.decode().partition(":")
                heard.setdefault(lane, []).append(int(number))
                if len(sequences) == expected // 3:
                    # Only this process's: publishers of the others must not be cut mid-commit.
                    await _kill_listener(bus_database, listening)
                if len(sequences) == expected:
                    break
            assert [await process.wait() for process in processes] == [0, 0]
    assert sequences == sorted(set(sequences))
    assert heard == {f"{name}.{n}": list(range(count)) for name in ("one", "two") for n in range(8)}
    assert listening.connected


async def _kill_listener(url: URL, bus: PostgresBus) -> None:
    pid = bus.listener_pid
    async with await psycopg.AsyncConnection.connect(
        url.set(drivername="postgresql").render_as_string(), autocommit=True
    ) as connection:
        await connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


async def test_event_reaches_another_process_within_20_milliseconds(postgres: Maker) -> None:
    one, two = await postgres(), await postgres()
    topic = f"latency.{uuid4().hex}"
    times = []
    async with two.subscribe(topic) as events:
        for _ in range(60):
            started = time.perf_counter()
            sending = asyncio.create_task(one.publish(topic, b"x"))
            await anext(events)
            times.append(time.perf_counter() - started)
            await sending
    assert statistics.median(times) < 0.020


async def test_lost_connection_is_seen_mended_and_caught_up_on(
    postgres: Maker, bus_database: URL
) -> None:
    one, two = await postgres(), await postgres()
    topic = f"lost.{uuid4().hex}"
    async with two.subscribe(topic) as events:
        await one.publish(topic, b"0")
        assert (await anext(events)).payload == b"0"
        assert await killed_backends(bus_database) >= 3
        for number in range(1, 2 * PAGE):
            await one.publish(topic, b"%d" % number)
        async with asyncio.timeout(10):
            got = [(await anext(events)).payload for _ in range(1, 2 * PAGE)]
    assert got == [b"%d" % number for number in range(1, 2 * PAGE)]
    assert two.connected


async def test_replay_reads_what_another_process_published_earlier(postgres: Maker) -> None:
    topic = f"replay.{uuid4().hex}"
    one = await postgres()
    first = await one.publish(topic, b"1")
    await one.publish(topic, b"2")
    await one.close()
    two = await postgres()
    async with two.subscribe(topic, after=first) as events:
        async with asyncio.timeout(5):
            assert (await anext(events)).payload == b"2"


async def test_old_events_are_deleted_and_new_ones_kept(postgres: Maker, bus_database: URL) -> None:
    topic = f"old.{uuid4().hex}"
    bus = await postgres()
    old = await bus.publish(topic, b"old")
    await bus.publish(topic, b"new")
    database = Database(bus_database, pool_size=1)
    async with database.unit_of_work() as session:
        then = utc_now() - timedelta(minutes=16)
        await session.execute(update(BusEvent).where(BusEvent.id == old).values(at=then))
    await bus.clean()
    async with database.reading() as session:
        query = select(func.count()).where(BusEvent.topic == topic)
        assert await session.scalar(query) == 1
    await database.close()


async def test_concurrent_publishers_share_transactions(postgres: Maker, bus_database: URL) -> None:
    bus = await postgres()
    topic = f"group.{uuid4().hex}"
    await asyncio.gather(*(bus.publish(topic, b"%d" % n) for n in range(400)))
    database = Database(bus_database, pool_size=1)
    async with database.reading() as session:
        query = select(func.count(BusEvent.at.distinct())).where(BusEvent.topic == topic)
        transactions = await session.scalar(query)
    await database.close()
    assert transactions is not None
    assert transactions <= 3


async def test_start_fails_clearly_without_a_database(bus_database: URL) -> None:
    database = Database(bus_database.set(port=1), pool_size=1)
    bus = PostgresBus(database, start_seconds=0.2)
    with pytest.raises(BusUnavailable):
        await bus.start()
    await database.close()


class Gate:
    """Passes bytes between the bus and its database until it is shut: then all is silence."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                await self.open.wait()
                sink.write(data)
        sink.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", 5432)
        self._writers += [writer, inner_writer]
        self._tasks.add(asyncio.create_task(self._pump(reader, inner_writer)))
        self._tasks.add(asyncio.create_task(self._pump(inner_reader, writer)))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Gate"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.open.set()
            server.close()
            for writer in self._writers:
                writer.close()
            await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_silent_database_is_noticed_and_its_return_too(
    postgres: Maker, bus_database: URL
) -> None:
    topic = f"silent.{uuid4().hex}"
    other = await postgres()
    async with Gate().listening() as gate:
        database = Database(bus_database.set(port=gate.port), pool_size=1)
        bus = PostgresBus(database, answer_seconds=0.3)
        await bus.start()
        async with bus.subscribe(topic) as events:
            gate.open.clear()
            with pytest.raises(BusUnavailable):
                async with asyncio.timeout(10):
                    await bus.publish(topic, b"lost")
            async with asyncio.timeout(10):
                await until(lambda: not bus.connected)
            stale = time.monotonic() - bus.last_heard
            await other.publish(topic, b"meanwhile")
            gate.open.set()
            async with asyncio.timeout(10):
                assert (await anext(events)).payload == b"meanwhile"
            await bus.close()
        assert stale > 0.3
        assert time.monotonic() - bus.last_heard < 2
        await database.close()


async def until(holds: Callable[[], bool]) -> None:
    while True:
        if holds():
            return
        await asyncio.sleep(0.02)
