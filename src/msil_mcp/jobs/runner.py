"""Runs jobs: claims them under a lease, renews it while they run, and records how they ended."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, Protocol
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.db.database import Database
from msil_mcp.errors import MsilError
from msil_mcp.jobs import queue
from msil_mcp.jobs.queue import WAKE_TOPIC, Claim
from msil_mcp.observability.metrics import JobOutcome

log = structlog.get_logger()

Handler = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Does a job. It may run twice, in two processes, so it must come out the same."""

LEASE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 2.0
CONCURRENCY: Final = 8
HANDLER_SECONDS: Final = 600.0
BACKOFF_SECONDS: Final = (2.0, 900.0)
KEEP_DONE_SECONDS: Final = 7 * 86_400.0
TIDY: Final = "jobs.tidy"
TIDY_SECONDS: Final = 3_600.0
ERROR_CHARACTERS: Final = 500


OnRun = Callable[[str, JobOutcome], None]


class Signals(Protocol):
    """What the bus offers: hearing of new jobs sooner than by polling."""

    async def publish(self, topic: str, payload: bytes) -> int:
        """Tell every process."""
        ...

    def subscribe(self, *topics: str) -> AbstractAsyncContextManager[AsyncIterator[object]]:
        """Hear what is published."""
        ...


class RetryJob(Exception):
    """Raised by a handler: not now, but in that many seconds; counts as an attempt."""

    def __init__(self, reason: str, *, after_seconds: float) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class AbandonJob(Exception):
    """Raised by a handler: trying again is useless; the job is dead with this reason."""


async def announce(signals: Signals) -> None:
    """Wake the runners of every process, after the transaction with new jobs has committed."""
    await signals.publish(WAKE_TOPIC, b"")


class JobRunner:
    """Runs the jobs of the kinds it has handlers for; any number of processes may have one."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        owner: str,
        signals: Signals | None = None,
        on_run: OnRun | None = None,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        concurrency: int = CONCURRENCY,
        handler_seconds: float = HANDLER_SECONDS,
        backoff_seconds: tuple[float, float] = BACKOFF_SECONDS,
    ) -> None:
        self._database = database
        self._handlers: dict[str, Handler] = {**handlers, TIDY: self._tidy}
        # A process that comes back under its old name does not hold its old leases.
        self._owner = f"{owner[:60]}:{uuid4().hex[:12]}"
        self._signals = signals
        self._on_run = on_run
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._concurrency = concurrency
        self._handler_seconds = handler_seconds
        self._backoff_seconds = backoff_seconds
        self._intervals: dict[str, float] = {TIDY: TIDY_SECONDS}
        self._running: dict[asyncio.Task[None], Claim] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._something = asyncio.Event()
        self._stopping = False

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of jobs this process runs."""
        return self._handlers.keys()

    def every(self, seconds: float, kind: str) -> None:
        """Run a kind again and again, in one process at a time; call before `start`."""
        if kind not in self._handlers:
            raise ValueError(f"no handler for jobs of the kind {kind}")
        self._intervals[kind] = seconds

    async def start(self) -> None:
        """Begin to claim jobs."""
        self._stopping = False
        for kind, seconds in self._intervals.items():
            # One by one: another process may just renew the leases of several.
            async with self._database.unit_of_work() as session:
                await queue.set_interval(session, kind, seconds=seconds)
        loops = [self._claim_for_ever(), self._renew_for_ever()]
        if self._signals is not None:
            loops.append(self._hear_for_ever(self._signals))
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Claim no more, let running jobs finish for a while, and give the others back."""
        self._stopping = True
        self.wake()
        if self._tasks:
            # The claiming loop ends by itself; cancelled, it could leave a job claimed and unrun.
            await asyncio.wait(self._tasks[:1], timeout=grace_seconds)
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace_seconds)
        for task in [*self._running, *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._running, *self._tasks, return_exceptions=True)
        self._tasks = []

    def wake(self) -> None:
        """Look for due jobs now."""
        self._something.set()

    async def _claim_for_ever(self) -> None:
        while not self._stopping:
            self._something.clear()
            pause = self._poll_seconds
            try:
                pause = await self._claim_due()
            except (SQLAlchemyError, OSError) as error:
                log.warning("jobs_not_claimed", error=type(error).__name__)
            if pause > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._something.wait()

    async def _claim_due(self) -> float:
        """Start what is due; returns the seconds until it is worth looking again."""
        free = self._concurrency - len(self._running)
        if free <= 0:
            return self._poll_seconds
        async with self._database.reading() as session:
            due = await queue.seconds_until_due(session, self._handlers)
        if due is None or due > 0:
            return self._poll_seconds if due is None else min(due + 0.001, self._poll_seconds)
        async with self._database.unit_of_work() as session:
            if reaped := await queue.reap(session):
                log.warning("jobs_reaped", count=reaped)
            claimed = await queue.claim(
                session,
                self._handlers,
                owner=self._owner,
                lease_seconds=self._lease_seconds,
                limit=free,
            )
        for one in claimed:
            task = asyncio.create_task(self._run(one), name=f"job-{one.kind}")
            self._running[task] = one
            task.add_done_callback(self._ended)
        # Something was due and another process has it: do not ask again at once.
        return 0.0 if claimed else min(0.05, self._poll_seconds)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self.wake()

    async def _run(self, claimed: Claim) -> None:
        started = time.perf_counter()
        try:
            error, after = await self._outcome(claimed)
        except asyncio.CancelledError:
            await self._settled(claimed, released=True)
            raise
        facts = {"job": claimed.id, "kind": claimed.kind, "attempts": claimed.attempts}
        seconds = round(time.perf_counter() - started, 3)
        outcome: JobOutcome = "done"
        if error is None:
            log.info("job_done", **facts, seconds=seconds)
        elif after is None:
            outcome = "dead"
            log.error("job_dead", **facts, seconds=seconds, error=error)
        else:
            outcome = "failed"
            log.warning("job_failed", **facts, seconds=seconds, error=error, retry_in=after)
        if self._on_run is not None:
            self._on_run(claimed.kind, outcome)
        await self._settled(claimed, error=error, after=after)

    async def _outcome(self, claimed: Claim) -> tuple[str | None, float | None]:
        """What went wrong, if anything, and in how many seconds to run again, if ever."""
        again: float | None = None
        try:
            async with asyncio.timeout(self._handler_seconds):
                await self._handlers[claimed.kind](claimed.payload)
        except AbandonJob as error:
            return _described(error), claimed.interval_seconds
        except RetryJob as error:
            described, again = _described(error), error.after_seconds
        except Exception as error:  # A handler's failure is recorded, and never ends the runner.
            if not isinstance(error, MsilError):
                log.exception("job_raised", job=claimed.id, kind=claimed.kind)
            described = _described(error)
        else:
            return None, claimed.interval_seconds
        if claimed.attempts >= claimed.max_attempts:
            return described, claimed.interval_seconds
        return described, self._backoff(claimed.attempts) if again is None else again

    def _backoff(self, attempts: int) -> float:
        first, longest = self._backoff_seconds
        bounded = min(longest, first * 2.0 ** min(attempts - 1, 30))
        return float(bounded * random.uniform(0.5, 1.0))  # noqa: S311 - only spreads

    async def _settled(
        self,
        claimed: Claim,
        *,
        error: str | None = None,
        after: float | None = None,
        released: bool = False,
    ) -> None:
        try:
            async with self._database.unit_of_work() as session:
                if released:
                    await queue.release(session, claimed, owner=self._owner)
                elif not await queue.settle(
                    session, claimed, owner=self._owner, error=error, after=after
                ):
                    log.warning("job_lease_lost", job=claimed.id, kind=claimed.kind)
        except (SQLAlchemyError, OSError) as problem:
            # The lease runs out, and the job runs again: handlers allow that.
            log.warning("job_not_settled", job=claimed.id, error=type(problem).__name__)

    async def _renew_for_ever(self) -> None:
        renewed: dict[int, float] = {}
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            running = {claimed.id: task for task, claimed in self._running.items()}
            now = time.monotonic()
            renewed = {number: renewed.get(number, now) for number in running}
            if not running:
                continue
            try:
                async with self._database.unit_of_work() as session:
                    held = await queue.renew(
                        session, running, owner=self._owner, lease_seconds=self._lease_seconds
                    )
            except (SQLAlchemyError, OSError) as error:
                log.warning("jobs_not_renewed", error=type(error).__name__)
                limit = self._lease_seconds * 2 / 3
                held = {number for number, last in renewed.items() if now - last < limit}
            else:
                renewed |= dict.fromkeys(held, now)
            for number, task in running.items():
                if number not in held and task in self._running:
                    # Another process may be at it by now.
                    task.cancel()

    async def _hear_for_ever(self, signals: Signals) -> None:
        while True:
            try:
                async with signals.subscribe(WAKE_TOPIC) as events:
                    async for _ in events:
                        self.wake()
            except MsilError as error:
                log.warning("jobs_not_heard", error=error.slug)
            await asyncio.sleep(self._poll_seconds)

    async def _tidy(self, _payload: Mapping[str, Any]) -> None:
        async with self._database.unit_of_work() as session:
            await queue.delete_finished(session, older_than_seconds=KEEP_DONE_SECONDS)


def _described(error: Exception) -> str:
    """What may be stored: sentences written for readers, else only the kind of error."""
    if isinstance(error, MsilError | RetryJob | AbandonJob):
        return str(error)[:ERROR_CHARACTERS] or type(error).__name__
    return type(error).__name__
