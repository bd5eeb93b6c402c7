"""Group commit: every caller waits for its own batch to be durable, batches form under load.

One thread owns one connection and one chain. While it commits, callers queue; what has queued is
the next batch. One record alone costs one commit; sixteen at once cost one commit too.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from msil_mcp.audit.chain import GENESIS, Chain, Row, stored_time
from msil_mcp.audit.errors import AuditUnavailable, RecordRejected, RowConflict
from msil_mcp.audit.records import (
    RECORD_COLUMNS,
    AuditChainRow,
    AuditRecord,
    AuditRecordRow,
    AuditSubjectRow,
    table_of,
)
from msil_mcp.audit.rows import Insert, RowInsert, Update
from msil_mcp.audit.store import Store
from msil_mcp.db.database import Database
from msil_mcp.errors import MsilError
from msil_mcp.sealing import Mac

MAX_BATCH: Final = 256
MAX_PENDING: Final = 10_000
LINGER_SECONDS: Final = 0.006
"""How long a batch gathers when the one before had company: a commit costs as much for one."""
PEEK_SECONDS: Final = 0.001
"""How often meanwhile the writer looks whether calls are still on their way."""
ALONE: Final = 1.5
CROWD_DECAY: Final = 0.9
"""How slowly the writer forgets that it had company; below `ALONE` it does not wait for any."""
HOLD_SECONDS: Final = 2.0
"""How long after a failed batch effects are refused unasked; then one may try."""
STALL_SECONDS: Final = 15.0
"""How long a batch may take before its waiters are told that it failed."""

_RECORDS: Final = Insert(table_of(AuditRecordRow), dict.fromkeys(RECORD_COLUMNS))
_SUBJECTS: Final = Insert(
    table_of(AuditSubjectRow), dict.fromkeys(("writer_id", "sequence", "name", "value"))
)
_CHAINS: Final = table_of(AuditChainRow)

_Waiting = tuple[AuditRecord, Sequence[RowInsert], "asyncio.Future[None]"]
OnBatch = Callable[[int, float], None]
OnFailure = Callable[[int], None]
OnAlteration = Callable[[], None]
OnRecord = Callable[[AuditRecord], None]
log = structlog.get_logger()


class _ChainLost(Exception):
    """The chain's row is not as this writer left it."""


class GroupCommitWriter:
    """Appends records to this process's chain.

    `on_batch(size, seconds)` is called on the event loop after every durable batch; so is each of
    `listeners` with every record of it, whether or not its caller still waits. `on_failure(size)`
    hears of batches that failed, `on_alteration()` of a chain that somebody else changed.
    """

    def __init__(
        self,
        database: Database,
        mac: Mac,
        *,
        on_batch: OnBatch | None = None,
        on_failure: OnFailure | None = None,
        on_alteration: OnAlteration | None = None,
    ) -> None:
        self._database = database
        self._mac = mac
        self._on_batch = on_batch
        self._on_failure = on_failure
        self._on_alteration = on_alteration
        self.listeners: list[OnRecord] = []
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._chain = Chain(mac)
        self._kept: tuple[int, str] | None = None
        self._attempted: tuple[int, str] | None = None
        self._in_flight: Sequence[_Waiting] = ()
        self._busy_since: float | None = None
        self._failed_at = float("-inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._open = False
        self.expected: Callable[[], int] = int
        """How many calls are under way that will leave a record; asked on the writer's thread."""

    @property
    def writer_id(self) -> str:
        """The id of this process's chain."""
        return self._chain.writer_id

    @property
    def pending(self) -> int:
        """Records handed over and not yet durable."""
        return self._queue.qsize() + len(self._in_flight)

    @property
    def healthy(self) -> bool:
        """Whether the last batch became durable and none is stuck."""
        return self._open and not self._stalled and self._failed_at == float("-inf")

    def ensure_writable(self) -> None:
        """Refuse an effect that could not be recorded; call it before causing one."""
        if not self._open or self._stalled or time.monotonic() - self._failed_at < HOLD_SECONDS:
            raise AuditUnavailable

    async def start(self) -> None:
        """Start the thread; the database is first touched by the first record."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
        self._thread.start()
        self._open = True
        self._watch = self._loop.call_later(1.0, self._look)

    async def close(self) -> None:
        """Write everything queued, close the chain and end the thread."""
        if not self._open or self._thread is None:
            return
        self._open = False
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, STALL_SECONDS)
        if self._watch is not None:
            self._watch.cancel()
        if self._thread.is_alive():
            log.warning("audit_writer_stuck", pending=self.pending)
            _fail(self._in_flight, AuditUnavailable)

    async def write(self, record: AuditRecord, also: Sequence[RowInsert] = ()) -> None:
        """Returns when the record, and the rows with it, are durable.

        Raises AuditUnavailable when they could not be committed, RowConflict when a row of `also`
        breaks a constraint and RecordRejected when the record can never be stored. A caller that
        stops waiting does not take its record back.
        """
        if not self._open or self._loop is None or self._queue.qsize() >= MAX_PENDING:
            raise AuditUnavailable
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((record, also, future))
        await future

    def note_anchor(self, sequence: int) -> None:
        """Remember the newest anchor this process made; the next batch writes it down."""
        self._chain.anchored = sequence

    @property
    def _stalled(self) -> bool:
        since = self._busy_since
        return since is not None and time.monotonic() - since > STALL_SECONDS

    def _look(self) -> None:
        if self._stalled:
            self._failed_at = time.monotonic()
            waiting = [*self._in_flight]
            with contextlib.suppress(queue.Empty):
                while (item := self._queue.get_nowait()) is not None:
                    waiting.append(item)
                self._queue.put(None)
            _fail(waiting, AuditUnavailable)
            if self._on_failure is not None:
                self._on_failure(len(waiting))
        if self._loop is not None:
            self._watch = self._loop.call_later(1.0, self._look)

    # Everything below runs on the writer's thread.

    def _run(self) -> None:
        store = Store(self._database.writer_engine())
        running, crowd = True, 1.0
        while running:
            batch: list[_Waiting] = []
            item = self._queue.get()
            if crowd > ALONE and item is not None:
                self._gather()
            with contextlib.suppress(queue.Empty):
                while item is not None:
                    batch.append(item)
                    if len(batch) == MAX_BATCH:
                        break
                    item = self._queue.get_nowait()
            running = item is not None
            # Callers come back in waves, so one small batch does not mean that they are gone.
            crowd = max(len(batch), crowd * CROWD_DECAY)
            if batch:
                self._serve(store, batch)
        self._close_chain(store)
        store.close()

    def _gather(self) -> None:
        """Wait for the callers that are on their way, but not for long."""
        until = time.monotonic() + LINGER_SECONDS
        time.sleep(PEEK_SECONDS)
        while self.expected() and time.monotonic() < until:
            time.sleep(PEEK_SECONDS)

    def _serve(self, store: Store, batch: list[_Waiting]) -> None:
        started = time.monotonic()
        self._in_flight, self._busy_since = batch, started
        rejected: dict[int, MsilError] = {}
        try:
            try:
                self._commit(store, batch)
            except store.unstorable_errors as error:
                if store.blames_the_database(error):
                    raise
                log.warning("audit_batch_rejected", size=len(batch), reason=type(error).__name__)
                rejected = self._salvage(store, batch)
        except Exception as error:  # noqa: BLE001 the edge of a thread: waiters must be told
            self._rewind()
            self._failed_at = time.monotonic()
            log.warning("audit_write_failed", size=len(batch), error=repr(error))
            self._rest()
            self._tell(_fail, batch, AuditUnavailable)
            if self._on_failure is not None:
                self._tell(self._on_failure, len(batch))
        else:
            self._failed_at = float("-inf")
            self._rest()
            self._tell(_settle, batch, rejected, self.listeners)
            if self._on_batch is not None:
                self._tell(self._on_batch, len(batch), time.monotonic() - started)

    def _rest(self) -> None:
        self._in_flight, self._busy_since = (), None

    def _commit(self, store: Store, batch: Sequence[_Waiting]) -> None:
        try:
            try:
                self._write(store, batch)
            except _ChainLost:
                log.critical("audit_chain_lost", writer_id=self._chain.writer_id)
                if self._on_alteration is not None:
                    self._tell(self._on_alteration)
                self._begin_anew()
                self._write(store, batch)
        except BaseException:
            self._rewind()
            raise

    def _write(self, store: Store, batch: Sequence[_Waiting]) -> None:
        with store.transaction():
            self._find_head(store)
            self._append(store, batch)
            self._move_head(store, closed=False)
            self._attempted = (self._chain.sequence, self._chain.head)
        self._keep()

    def _salvage(self, store: Store, batch: Sequence[_Waiting]) -> dict[int, MsilError]:
        """One transaction, a savepoint for each: only those that cannot be stored are left out."""
        rejected: dict[int, MsilError] = {}
        with store.transaction():
            self._find_head(store)
            for place, waiting in enumerate(batch):
                before = (self._chain.sequence, self._chain.head)
                try:
                    with store.savepoint():
                        self._append(store, [waiting])
                except store.integrity_errors as error:
                    rejected[place] = RowConflict(str(error))
                    self._chain.rewind(*before)
                except store.unstorable_errors as error:
                    if store.blames_the_database(error):
                        raise
                    rejected[place] = RecordRejected(str(error))
                    self._chain.rewind(*before)
            if self._chain.sequence:
                self._move_head(store, closed=False)
                self._attempted = (self._chain.sequence, self._chain.head)
        self._keep()
        return rejected

    def _append(self, store: Store, batch: Sequence[_Waiting]) -> None:
        now = stored_time(datetime.now(UTC))
        rows: list[Row] = []
        subjects: list[Row] = []
        others: list[RowInsert] = []
        chain = self._chain
        for record, also, _ in batch:
            rows.append(chain.append(record, now))
            if record.subjects:
                link = (chain.writer_id, chain.sequence)
                subjects.extend((*link, *pair) for pair in record.subjects.items())
            others.extend(also)
        store.write(others)
        store.insert_many(_RECORDS, rows)
        if subjects:
            store.insert_many(_SUBJECTS, subjects)

    def _move_head(self, store: Store, *, closed: bool) -> None:
        if self._kept is None:
            store.write([Insert(_CHAINS, self._chain.first_row())])
            return
        key = {"writer_id": self._chain.writer_id, "head_hash": self._kept[1]}
        if not store.update_one(Update(_CHAINS, key, self._chain.head_row(closed=closed))):
            raise _ChainLost

    def _find_head(self, store: Store) -> None:
        """After a failed commit: ask the database whether it took place after all."""
        if self._attempted is None:
            return
        columns = ("last_sequence", "head_hash")
        found = store.read_one(_CHAINS, columns, {"writer_id": self._chain.writer_id})
        if found == self._attempted:
            self._kept = self._attempted
            self._rewind()
        elif found != self._kept:
            raise _ChainLost
        self._attempted = None

    def _keep(self) -> None:
        self._kept = (self._chain.sequence, self._chain.head) if self._chain.sequence else None
        self._attempted = None

    def _rewind(self) -> None:
        self._chain.rewind(*(self._kept or (0, GENESIS)))

    def _begin_anew(self) -> None:
        anchored = self._chain.anchored
        self._chain = Chain(self._mac)
        self._chain.anchored = anchored
        self._kept = self._attempted = None

    def _close_chain(self, store: Store) -> None:
        if self._kept is None:
            return
        try:
            with store.transaction():
                self._find_head(store)
                self._move_head(store, closed=True)
        except _ChainLost:
            log.critical("audit_chain_lost", writer_id=self._chain.writer_id)
        except store.unavailable_errors as error:
            log.warning("audit_chain_not_closed", error=repr(error))

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        if self._loop is None:
            return
        # The loop may be gone when the process is ending; nobody waits any more then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)


def _settle(
    batch: Sequence[_Waiting], rejected: dict[int, MsilError], listeners: Sequence[OnRecord]
) -> None:
    for place, (_, _, future) in enumerate(batch):
        if future.done():
            continue
        error = rejected.get(place) if rejected else None
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
    for place, (record, _, _) in enumerate(batch):
        if place not in rejected:
            for listener in listeners:
                listener(record)


def _fail(batch: Sequence[_Waiting], error: Callable[[], MsilError]) -> None:
    for _, _, future in batch:
        if not future.done():
            future.set_exception(error())
