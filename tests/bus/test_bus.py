"""What every bus does."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from msil_mcp.bus import Bus, BusUnavailable, Event, PayloadTooLarge, SubscriberTooSlow

pytestmark = pytest.mark.anyio


@pytest.fixture
def topic() -> str:
    return f"test.{uuid4().hex}"


async def take(events: AsyncIterator[Event], count: int) -> list[bytes]:
    async with asyncio.timeout(5):
        return [(await anext(events)).payload for _ in range(count)]


async def test_subscriber_hears_what_is_published_after_it_entered(bus: Bus, topic: str) -> None:
    await bus.publish(topic, b"before")
    async with bus.subscribe(topic) as events:
        sequence = await bus.publish(topic, b"after")
        async with asyncio.timeout(5):
            assert await anext(events) == Event(topic, sequence, b"after")


async def test_events_published_before_the_first_read_are_not_lost(bus: Bus, topic: str) -> None:
    async with bus.subscribe(topic) as events:
        for number in range(3):
            await bus.publish(topic, b"%d" % number)
        assert await take(events, 3) == [b"0", b"1", b"2"]


async def test_order_is_kept_and_sequences_grow(bus: Bus, topic: str) -> None:
    async with bus.subscribe(topic) as events:
        sequences = await asyncio.gather(*(bus.publish(topic, b"%d" % n) for n in range(500)))
        assert await take(events, 500) == [b"%d" % n for n in range(500)]
    assert list(sequences) == sorted(set(sequences))


async def test_every_subscriber_hears_and_other_topics_are_silent(bus: Bus, topic: str) -> None:
    async with bus.subscribe(topic) as one, bus.subscribe(topic, topic) as two:
        await bus.publish(topic + ".else", b"no")
        await bus.publish(topic, b"yes")
        await bus.publish(topic, b"end")
        assert await take(one, 2) == await take(two, 2) == [b"yes", b"end"]


async def test_star_matches_by_prefix_and_each_event_comes_once(bus: Bus, topic: str) -> None:
    async with bus.subscribe(topic + ".*", topic + ".a") as events:
        for name in ("a", "b", "b.c"):
            await bus.publish(f"{topic}.{name}", name.encode())
        await bus.publish(topic, b"not this")
        await bus.publish(topic + ".end", b"end")
        assert await take(events, 4) == [b"a", b"b", b"b.c", b"end"]


async def test_prefix_means_its_characters(bus: Bus, topic: str) -> None:
    first = await bus.publish(f"{topic}_%x", b"yes")
    await bus.publish(f"{topic}ab", b"no")
    async with bus.subscribe(f"{topic}_%*", after=first - 1) as events:
        await bus.publish(f"{topic}_%y", b"end")
        assert await take(events, 2) == [b"yes", b"end"]


async def test_replay_continues_without_gap_or_repetition(bus: Bus, topic: str) -> None:
    sequences = [await bus.publish(topic, b"%d" % n) for n in range(300)]
    async with bus.subscribe(topic, after=sequences[9]) as events:
        more = asyncio.gather(*(bus.publish(topic, b"%d" % n) for n in range(300, 600)))
        assert await take(events, 590) == [b"%d" % n for n in range(10, 600)]
        await more


async def test_replay_covers_several_topics_in_order(bus: Bus, topic: str) -> None:
    start = await bus.publish(topic, b"start")
    for number in range(6):
        await bus.publish(f"{topic}.{number % 2}", b"%d" % number)
    async with bus.subscribe(f"{topic}.*", after=start) as events:
        assert await take(events, 6) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    async with bus.subscribe(f"{topic}.1", topic, after=start - 1) as events:
        assert await take(events, 4) == [b"start", b"1", b"3", b"5"]


async def test_what_is_kept_of_a_topic_can_be_had_without_listening(bus: Bus, topic: str) -> None:
    assert list(await bus.kept(topic)) == []
    for number in range(300):
        await bus.publish(topic, b"%d" % number)
    await bus.publish(topic + "-other", b"other")
    kept = await bus.kept(topic)
    assert [event.payload for event in kept] == [b"%d" % number for number in range(300)]
    assert [event.sequence for event in kept] == sorted(event.sequence for event in kept)


async def test_subscriber_that_does_not_read_is_ended_and_the_others_are_not(
    bus: Bus, topic: str
) -> None:
    heard: list[bytes] = []

    async def read_all() -> None:
        async with bus.subscribe(topic) as events:
            ready.set()
            async for event in events:
                heard.append(event.payload)
                if event.payload == b"end":
                    return

    ready = asyncio.Event()
    reader = asyncio.create_task(read_all())
    await ready.wait()
    async with bus.subscribe(topic) as sleeping:
        for _ in range(5):
            await asyncio.gather(*(bus.publish(topic, b"x") for _ in range(300)))
        await bus.publish(topic, b"end")
        async with asyncio.timeout(5):
            await reader
            with pytest.raises(SubscriberTooSlow):
                await anext(sleeping)
    assert len(heard) == 1501


async def test_closing_ends_subscriptions_and_refuses_publishing(bus: Bus, topic: str) -> None:
    async with bus.subscribe(topic) as events:
        await bus.publish(topic, b"last")
        assert await take(events, 1) == [b"last"]
        await bus.close()
        async with asyncio.timeout(5):
            assert [event async for event in events] == []
    with pytest.raises(BusUnavailable):
        await bus.publish(topic, b"late")
    with pytest.raises(BusUnavailable):
        async with bus.subscribe(topic):
            pass


async def test_what_was_published_before_closing_is_kept(bus: Bus, topic: str) -> None:
    waiting = [asyncio.create_task(bus.publish(topic, b"x")) for _ in range(50)]
    await asyncio.sleep(0)
    await bus.close()
    assert all(await asyncio.gather(*waiting))


async def test_cancelled_reader_and_publisher_harm_nobody(bus: Bus, topic: str) -> None:
    async with bus.subscribe(topic) as events:
        async with bus.subscribe(topic) as other:
            reader = asyncio.create_task(anext(other))
            await asyncio.sleep(0)
            reader.cancel()
            publisher = asyncio.create_task(bus.publish(topic, b"maybe"))
            await asyncio.sleep(0)
            publisher.cancel()
            await asyncio.gather(reader, publisher, return_exceptions=True)
        await bus.publish(topic, b"sure")
        async with asyncio.timeout(5):
            while (await anext(events)).payload != b"sure":
                pass


@pytest.mark.parametrize("bad", ["", "with*star", "x" * 201, "line\nbreak"])
async def test_topic_that_nobody_could_hear_is_refused(bus: Bus, bad: str) -> None:
    with pytest.raises(ValueError, match="not a topic"):
        await bus.publish(bad, b"")


@pytest.mark.parametrize("bad", [(), ("",), ("a*b",)])
async def test_subscription_to_nothing_is_refused(bus: Bus, bad: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not topics"):
        async with bus.subscribe(*bad):
            pass


async def test_large_event_is_refused_and_a_fair_one_is_not(bus: Bus, topic: str) -> None:
    with pytest.raises(PayloadTooLarge):
        await bus.publish(topic, bytes((1 << 20) + 1))
    async with bus.subscribe(topic) as events:
        await bus.publish(topic, bytes(1 << 20))
        assert await take(events, 1) == [bytes(1 << 20)]


async def test_bus_says_that_it_is_connected(bus: Bus) -> None:
    assert bus.connected
    assert time.monotonic() - bus.last_heard < 2
