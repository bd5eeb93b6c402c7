import pytest

from msil_mcp.bus import Event, MemoryBus

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def kept(bus: MemoryBus, topic: str) -> list[Event]:
    async with bus.subscribe(topic, after=0) as events:
        await bus.publish("end." + topic.rstrip("*"), b"")
        async with bus.subscribe("end.*", after=0):
            pass
        found = []
        await bus.close()
        async for event in events:
            found.append(event)
    await bus.start()
    return found


async def test_newest_events_of_a_topic_are_kept() -> None:
    bus = MemoryBus()
    await bus.start()
    for number in range(1_500):
        await bus.publish("t", b"%d" % number)
    found = await kept(bus, "t")
    assert len(found) == 1_024
    assert found[-1].payload == b"1499"


async def test_idle_topic_is_forgotten_and_a_used_one_is_not() -> None:
    clock = Clock()
    bus = MemoryBus(clock=clock)
    await bus.start()
    await bus.publish("idle", b"")
    await bus.publish("used", b"1")
    clock.now = 600
    await bus.publish("used", b"2")
    clock.now = 1000
    assert await kept(bus, "idle") == []
    assert [event.payload for event in await kept(bus, "used")] == [b"1", b"2"]


async def test_all_topics_together_stay_within_their_bytes() -> None:
    bus = MemoryBus(kept_bytes=10_000)
    await bus.start()
    for number in range(50):
        await bus.publish(f"t{number}", bytes(1_000))
    assert len(await kept(bus, "t*")) == 10
    for _ in range(50):
        await bus.publish("one", bytes(1_000))
    assert len(await kept(bus, "one")) == 10


async def test_sequences_do_not_start_over_after_a_restart() -> None:
    first, second = MemoryBus(), MemoryBus()
    await first.start()
    last = await first.publish("t", b"")
    second = MemoryBus()
    await second.start()
    assert await second.publish("t", b"") > last
