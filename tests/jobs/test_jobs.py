import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.engine import URL

from jobs.conftest import Running
from locking import until_waiting
from msil_mcp.bus import MemoryBus
from msil_mcp.db.database import Database, utc_now
from msil_mcp.errors import Conflict
from msil_mcp.jobs import AbandonJob, Job, JobRunner, RetryJob, announce, enqueue
from msil_mcp.jobs.queue import claim, delete_finished, reap, set_interval

pytestmark = pytest.mark.anyio


class Work:
    """A handler that notes what it was given; `outcome` decides how each run ends."""

    def __init__(self, outcome: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self._outcome = outcome
        self._news = asyncio.Condition()

    async def __call__(self, payload: Mapping[str, Any]) -> None:
        self.seen.append(payload)
        async with self._news:
            self._news.notify_all()
        if (error := self._outcome(len(self.seen))) is not None:
            raise error

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.seen) >= count)


async def add(database: Database, kind: str, **options: Any) -> int | None:
    async with database.unit_of_work() as session:
        return await enqueue(session, kind, options.pop("payload", {}), **options)


async def job(database: Database, number: int | None) -> Job:
    async with database.reading() as session:
        return (await session.scalars(select(Job).where(Job.id == number))).one()


async def settled(database: Database, number: int | None, *states: str) -> Job:
    return await eventually(database, number, lambda found: found.state in states)


async def eventually(database: Database, number: int | None, holds: Callable[[Job], bool]) -> Job:
    async with asyncio.timeout(10):
        while True:
            if holds(found := await job(database, number)):
                return found
            await asyncio.sleep(0.01)


async def test_job_runs_once_with_its_payload(database: Database, running: Running) -> None:
    work = Work()
    payload = {"n": 1, "text": "₹", "list": [None, True]}
    number = await add(database, "work", payload=payload)
    async with running({"work": work}):
        found = await settled(database, number, "done")
    assert work.seen == [payload]
    assert (found.attempts, found.lease_owner, found.last_error) == (1, None, None)
    assert found.finished_at is not None


async def test_job_exists_only_when_its_transaction_commits(
    database: Database, running: Running
) -> None:
    async def change_mind() -> None:
        async with database.unit_of_work() as session:
            await enqueue(session, "work", {"n": "undone"})
            raise Conflict("the domain changed its mind")

    with pytest.raises(Conflict):
        await change_mind()
    work = Work()
    await add(database, "work", payload={"n": "kept"})
    async with running({"work": work}):
        await work.until(1)
    assert work.seen == [{"n": "kept"}]


async def test_unfinished_job_with_the_same_key_is_enough(
    database: Database, running: Running
) -> None:
    first = await add(database, "work", key="k")
    assert first is not None
    assert await add(database, "work", key="k") is None
    assert await add(database, "work", key="other") is not None
    async with running({"work": Work()}):
        await settled(database, first, "done")
    assert await add(database, "work", key="k") is not None


async def test_later_job_waits_for_its_time(database: Database, running: Running) -> None:
    work = Work()
    await add(database, "work", payload={"n": "tomorrow"}, run_at=utc_now() + timedelta(days=1))
    soon = utc_now() + timedelta(seconds=0.2)
    await add(database, "work", payload={"n": "soon"}, run_at=soon)
    async with running({"work": work}, poll_seconds=60):
        await work.until(1)
        assert utc_now() >= soon
    assert work.seen == [{"n": "soon"}]


async def test_job_without_a_handler_here_is_left_to_others(
    database: Database, running: Running
) -> None:
    work = Work()
    other = await add(database, "other")
    number = await add(database, "work")
    async with running({"work": work}):
        await settled(database, number, "done")
    assert (await job(database, other)).state == "pending"


async def test_every_run_is_told_with_its_outcome(database: Database, running: Running) -> None:
    told: list[tuple[str, str]] = []
    handlers = {
        "flaky": Work(lambda run: ValueError() if run == 1 else None),
        "hopeless": Work(lambda _: AbandonJob("there is no such thing")),
    }
    numbers = [await add(database, kind) for kind in handlers]
    async with running(handlers, on_run=lambda *run: told.append(run)) as runner:
        assert set(runner.kinds) >= set(handlers)
        for number in numbers:
            await settled(database, number, "done", "dead")
    ours = sorted(run for run in told if run[0] in handlers)
    assert ours == [("flaky", "done"), ("flaky", "failed"), ("hopeless", "dead")]


async def test_failing_job_is_tried_again_later(database: Database, running: Running) -> None:
    work = Work(lambda run: ValueError("secret detail") if run < 3 else None)
    number = await add(database, "work")
    async with running({"work": work}):
        found = await settled(database, number, "done")
    assert (len(work.seen), found.attempts) == (3, 3)


async def test_job_that_always_fails_is_dead_and_says_why_without_details(
    database: Database, running: Running
) -> None:
    unexpected = await add(database, "unexpected", max_attempts=2)
    domain = await add(database, "domain", max_attempts=1)
    work = Work(lambda _: ValueError("token=secret"))
    refused = Work(lambda _: Conflict("The slot is taken."))
    async with running({"unexpected": work, "domain": refused}):
        first = await settled(database, unexpected, "dead")
        second = await settled(database, domain, "dead")
    assert (first.attempts, first.last_error, len(work.seen)) == (2, "ValueError", 2)
    assert second.last_error == "The slot is taken."


async def test_handler_may_say_when_to_try_again_or_never(
    database: Database, running: Running
) -> None:
    later = await add(database, "later")
    never = await add(database, "never")
    handlers = {
        "later": Work(lambda _: RetryJob("rate limited", after_seconds=3600)),
        "never": Work(lambda _: AbandonJob("the target is gone")),
    }
    async with running(handlers):
        dead = await settled(database, never, "dead")
        await handlers["later"].until(1)
    waiting = await settled(database, later, "pending")
    assert (dead.attempts, dead.last_error) == (1, "the target is gone")
    assert waiting.last_error == "rate limited"
    assert 3500 < (waiting.run_at - utc_now()).total_seconds() <= 3600


async def test_handler_that_hangs_is_stopped(database: Database, running: Running) -> None:
    async def hang(_payload: object) -> None:
        await asyncio.Event().wait()

    number = await add(database, "hang", max_attempts=1)
    async with running({"hang": hang}, handler_seconds=0.05):
        found = await settled(database, number, "dead")
    assert found.last_error == "TimeoutError"


async def test_two_runners_share_the_work_and_do_each_job_once(
    database: Database, running: Running
) -> None:
    count = 60
    done: Counter[int] = Counter()
    by: Counter[str] = Counter()
    finished = asyncio.Event()

    def handler(name: str) -> Callable[[Mapping[str, Any]], Any]:
        async def handle(payload: Mapping[str, Any]) -> None:
            done[payload["n"]] += 1
            by[name] += 1
            await asyncio.sleep(0.002)
            if len(done) == count:
                finished.set()

        return handle

    async with database.unit_of_work() as session:
        for number in range(count):
            await enqueue(session, "work", {"n": number})
    async with (
        asyncio.timeout(20),
        running({"work": handler("one")}, concurrency=3),
        running({"work": handler("two")}, concurrency=3),
    ):
        await finished.wait()
    assert done == dict.fromkeys(range(count), 1)
    assert set(by) == {"one", "two"}


KILLED = """
import asyncio, os, signal, sys
from sqlalchemy.engine import make_url
from msil_mcp.db.database import Database
from msil_mcp.jobs import JobRunner

async def main():
    async def die(payload):
        os.kill(os.getpid(), signal.SIGKILL)
    runner = JobRunner(
        Database(make_url(sys.argv[1])), {"work": die}, owner="killed", lease_seconds=0.4
    )
    await runner.start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_job_of_a_killed_process_is_taken_over_when_its_lease_ends(
    database: Database, running: Running
) -> None:
    number = await add(database, "work")
    url = database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, url)
    assert await process.wait() == -9
    left = await job(database, number)
    assert left.state == "running"
    assert (left.lease_owner or "").startswith("killed:")
    work = Work()
    async with running({"work": work}):
        found = await settled(database, number, "done")
    assert (len(work.seen), found.attempts) == (1, 2)


async def test_job_that_kills_its_process_every_time_ends_dead(
    database: Database, running: Running
) -> None:
    number = await add(database, "work", max_attempts=2)
    async with database.unit_of_work() as session:
        await session.execute(
            update(Job).values(
                state="running", attempts=2, lease_owner="gone", lease_until=utc_now()
            )
        )
    work = Work()
    async with running({"work": work}):
        found = await settled(database, number, "dead")
    assert found.last_error == "its process stopped while it ran"
    assert work.seen == []


async def test_lease_is_renewed_while_a_long_job_runs(database: Database, running: Running) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    other = Work()

    async def long(_payload: object) -> None:
        begun.set()
        await finish.wait()

    number = await add(database, "work")
    async with running({"work": long}, lease_seconds=0.3):
        await begun.wait()
        first = (await job(database, number)).lease_until
        assert first is not None
        beyond = first + timedelta(seconds=0.4)
        async with running({"work": other}, lease_seconds=0.3):
            await eventually(database, number, lambda found: (found.lease_until or first) > beyond)
        finish.set()
        found = await settled(database, number, "done")
    assert found.attempts == 1
    assert other.seen == []


async def test_runner_that_lost_its_lease_stops_and_records_nothing(
    database: Database, running: Running
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def long(_payload: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    number = await add(database, "work")
    async with running({"work": long}, lease_seconds=0.3):
        await begun.wait()
        async with database.unit_of_work() as session:
            taken = {"lease_owner": "another", "lease_until": utc_now() + timedelta(hours=1)}
            await session.execute(update(Job).where(Job.id == number).values(attempts=2, **taken))
        async with asyncio.timeout(5):
            await stopped.wait()
    found = await job(database, number)
    assert (found.state, found.lease_owner, found.attempts) == ("running", "another", 2)


async def test_stopping_waits_for_short_jobs_and_gives_long_ones_back(
    database: Database, running: Running
) -> None:
    begun = asyncio.Event()

    async def short(_payload: object) -> None:
        await asyncio.sleep(0.05)

    async def long(_payload: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    first = await add(database, "short")
    second = await add(database, "long")
    async with running({"short": short, "long": long}):
        await begun.wait()
    assert (await job(database, first)).state == "done"
    given_back = await job(database, second)
    assert (given_back.state, given_back.attempts, given_back.lease_owner) == ("pending", 0, None)


async def test_recurring_job_runs_again_and_again_in_one_of_two_processes(
    database: Database, running: Running
) -> None:
    alone = 0
    most = 0
    runs = asyncio.Semaphore(0)

    async def handle(_payload: object) -> None:
        nonlocal alone, most
        alone += 1
        most = max(most, alone)
        await asyncio.sleep(0.02)
        alone -= 1
        runs.release()

    async with (
        asyncio.timeout(20),
        running({"tick": handle}, every={"tick": 0.05}),
        running({"tick": handle}, every={"tick": 0.05}),
    ):
        for _ in range(4):
            await runs.acquire()
    assert most == 1
    async with database.reading() as session:
        rows = (await session.scalars(select(Job).where(Job.kind == "tick"))).all()
    assert len(rows) == 1
    assert rows[0].state == "pending"


async def test_recurring_job_survives_its_failures(database: Database, running: Running) -> None:
    work = Work(lambda run: AbandonJob("no") if run == 1 else ValueError() if run < 4 else None)
    async with running({"tick": work}, every={"tick": 0.02}):
        await work.until(6)


async def test_shorter_interval_brings_the_next_run_forward(
    database: Database, running: Running
) -> None:
    work = Work()
    async with running({"tick": work}, every={"tick": 3600.0}):
        await work.until(1)
    async with running({"tick": work}, every={"tick": 0.05}):
        await work.until(2)


async def test_recurring_kind_needs_a_handler(running: Running) -> None:
    with pytest.raises(ValueError, match="no handler"):
        async with running({}, every={"tick": 1.0}):
            pass


async def test_announced_job_does_not_wait_for_the_poll(
    database: Database, running: Running
) -> None:
    bus = MemoryBus()
    await bus.start()
    work = Work()
    first = await add(database, "work")
    async with running({"work": work}, poll_seconds=60, signals=bus), asyncio.timeout(10):
        await settled(database, first, "done")
        await add(database, "work")
        while len(work.seen) < 2:
            await announce(bus)
            await asyncio.sleep(0.01)
    await bus.close()


async def test_done_jobs_are_forgotten_after_a_while_and_dead_ones_are_not(
    database: Database, running: Running
) -> None:
    done = await add(database, "done")
    dead = await add(database, "dead", max_attempts=1)
    async with running({"done": Work(), "dead": Work(lambda _: ValueError())}):
        await settled(database, done, "done")
        await settled(database, dead, "dead")
    async with database.unit_of_work() as session:
        await delete_finished(session, older_than_seconds=3600)
        await delete_finished(session, older_than_seconds=-1)
    async with database.reading() as session:
        left = (await session.scalars(select(Job.id).where(Job.id.in_([done, dead])))).all()
    assert left == [dead]


async def test_reaping_waits_for_no_job_that_is_just_settled(postgres_url: URL) -> None:
    database = Database(postgres_url)
    async with database.unit_of_work() as session:
        await session.execute(delete(Job))
    held, late = await add(database, "held"), await add(database, "late")
    async with database.unit_of_work() as session:
        await claim(session, ["held", "late"], owner="gone", lease_seconds=-1, limit=2)
    async with database.sessions() as settling, asyncio.timeout(10):
        await settling.get(Job, held, with_for_update=True)
        async with database.unit_of_work() as session:
            assert await reap(session) == 1
    assert (await job(database, late)).state == "pending"
    assert (await job(database, held)).state == "running"
    await database.close()


async def test_a_runner_that_starts_holds_no_job_while_it_waits_for_another(
    postgres_url: URL,
) -> None:
    database = Database(postgres_url)
    async with database.unit_of_work() as session:
        await session.execute(delete(Job))
        for kind in ("first", "second"):
            await set_interval(session, kind, seconds=3_600)
    runner = JobRunner(database, {"first": Work(), "second": Work()}, owner="new")
    runner.every(60, "first")
    runner.every(60, "second")
    key = select(Job).where(Job.key == "every:second")
    other = select(Job).where(Job.key == "every:first")
    async with asyncio.TaskGroup() as tasks, database.sessions() as renewing:
        await renewing.execute(key.with_for_update())
        tasks.create_task(runner.start())
        await until_waiting(database)
        found = await renewing.scalars(other.with_for_update(nowait=True))
        assert found.one().interval_seconds == 60
    await runner.stop()
    await database.close()
