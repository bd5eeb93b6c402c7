"""Turns records of the trail into deliveries, exactly one for each event and webhook.

Nothing is written beside a call for this: the trail is read behind it, chain by chain, from where
a cursor says, and the deliveries, the jobs that send them and the cursor are one transaction. A
process that dies leaves its records to whichever looks next. Looking is cheap and often; a record
of this process that somebody subscribed to has it look at once.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from msil_mcp.audit.live import data_of, types_of
from msil_mcp.audit.records import AuditChainRow, AuditRecord, AuditRecordRow
from msil_mcp.bus import Bus
from msil_mcp.db.database import Database, utc_now
from msil_mcp.errors import MsilError
from msil_mcp.jobs import announce, enqueue
from msil_mcp.webhooks.deliveries import new_row
from msil_mcp.webhooks.models import Webhook, WebhookCursor, WebhookDelivery
from msil_mcp.webhooks.subscriptions import active_webhooks, take_turn

log = structlog.get_logger()

DELIVER: Final = "webhook.deliver"
TOPIC: Final = "webhooks"
LOOK_SECONDS: Final = 2.0
GATHER_SECONDS: Final = 0.02
"""How long records gather before they are looked at."""
RECORDS: Final = 200
ROWS_A_STATEMENT: Final = 500


class Relay:
    """One process's part; any number of them may be at it."""

    def __init__(self, *, database: Database, bus: Bus, look_seconds: float = LOOK_SECONDS) -> None:
        self._database = database
        self._bus = bus
        self._look_seconds = look_seconds
        self._wanted: frozenset[str] = frozenset()
        self._something = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Look now, and from now on."""
        self._tasks = [
            asyncio.create_task(self._look_for_ever(), name="webhooks-relay"),
            asyncio.create_task(self._hear_for_ever(), name="webhooks-hear"),
        ]

    async def close(self) -> None:
        """Stop looking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def note(self, record: AuditRecord) -> None:
        """Look soon, if somebody subscribed to what this record is announced as."""
        if self._wanted and not self._wanted.isdisjoint(types_of(record)):
            self._something.set()

    async def changed(self) -> None:
        """Have every process look at the webhooks now; if they do not hear, they will anyway."""
        with suppress(MsilError):
            await self._bus.publish(TOPIC, b"")

    async def look(self) -> None:
        """Bring the deliveries up to the trail, and see to it that due ones are sent."""
        async with self._database.reading() as session:
            webhooks = await active_webhooks(session)
            self._wanted = frozenset(name for hook in webhooks for name in hook.event_types)
            if not webhooks or not await _anything(session):
                return
        more = True
        while more:
            async with self._database.unit_of_work() as session:
                await take_turn(session)
                more = await _turn_into_deliveries(session)
                queued = await _queue_due(session)
            if queued:
                with suppress(MsilError):
                    await announce(self._bus)

    async def _look_for_ever(self) -> None:
        while True:
            self._something.clear()
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("webhooks_not_relayed", error=type(error).__name__)
                await asyncio.sleep(self._look_seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._something.wait()
            await asyncio.sleep(GATHER_SECONDS)

    async def _hear_for_ever(self) -> None:
        while True:
            try:
                async with self._bus.subscribe(TOPIC) as events:
                    async for _ in events:
                        self._something.set()
            except MsilError as error:
                log.warning("webhooks_not_heard", error=error.slug)
            await asyncio.sleep(self._look_seconds)


async def forget_ended(session: AsyncSession) -> None:
    """Forget the cursors of chains that retention has deleted."""
    kept = select(AuditChainRow.writer_id)
    await session.execute(delete(WebhookCursor).where(WebhookCursor.writer_id.not_in(kept)))


def event_id(writer_id: str, sequence: int, event_type: str) -> str:
    """The same in every process and for every webhook, so that a receiver can tell repeats."""
    named = f"{writer_id}/{sequence}/{event_type}".encode()
    return f"evt_{hashlib.blake2b(named, digest_size=16).hexdigest()}"


def _behind() -> Select[str, int, int]:
    """Chains with records nobody has looked at: writer, the last of them, the last looked at."""
    seen = func.coalesce(WebhookCursor.sequence, 0)
    return (
        select(AuditChainRow.writer_id, AuditChainRow.last_sequence, seen)
        .outerjoin(WebhookCursor, WebhookCursor.writer_id == AuditChainRow.writer_id)
        .where(AuditChainRow.last_sequence > seen)
        .order_by(AuditChainRow.started_at)
    )


def _due() -> Select[str]:
    """Webhooks with something to send now."""
    return (
        select(WebhookDelivery.webhook_id)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            Webhook.active.is_(True),
            WebhookDelivery.state.in_(("pending", "failed")),
            WebhookDelivery.next_at <= utc_now(),
        )
        .distinct()
    )


async def _anything(session: AsyncSession) -> bool:
    if (await session.execute(_behind().limit(1))).first() is not None:
        return True
    return (await session.execute(_due().limit(1))).first() is not None


async def _turn_into_deliveries(session: AsyncSession) -> bool:
    """One batch of records; whether there are more."""
    # The heads first: a webhook added after them has no claim to what lies below.
    behind = (await session.execute(_behind())).all()
    webhooks = await active_webhooks(session)
    left = RECORDS
    for writer_id, last, seen in behind:
        rows = await _records(session, writer_id, after=seen, until=last, limit=left)
        await _insert(session, _deliveries(rows, webhooks))
        full = len(rows) == left
        await _move_cursor(session, writer_id, rows[-1].sequence if full else last)
        left -= len(rows)
        if left == 0:
            return True
    return False


async def _records(
    session: AsyncSession, writer_id: str, *, after: int, until: int, limit: int
) -> Sequence[AuditRecordRow]:
    row = AuditRecordRow
    query = (
        select(row)
        .options(defer(row.result, raiseload=True))
        .where(row.writer_id == writer_id, row.sequence > after, row.sequence <= until)
        .order_by(row.sequence)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


def _deliveries(
    rows: Iterable[AuditRecordRow], webhooks: Sequence[Webhook]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for row in rows:
        for event_type in types_of(row):
            takers = [
                hook
                for hook in webhooks
                if event_type in hook.event_types and row.id > hook.first_record
            ]
            found += [
                new_row(
                    hook,
                    event_id=event_id(row.writer_id, row.sequence, event_type),
                    event_type=event_type,
                    at=row.at,
                    data=data_of(row),
                )
                for hook in takers
            ]
    return found


async def _insert(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        statement = insert(WebhookDelivery).values(rows[start : start + ROWS_A_STATEMENT])
        await session.execute(
            statement.on_conflict_do_nothing(index_elements=["webhook_id", "event_id"])
        )


async def _move_cursor(session: AsyncSession, writer_id: str, sequence: int) -> None:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(WebhookCursor).values(writer_id=writer_id, sequence=sequence)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["writer_id"], set_={"sequence": sequence})
    )


async def _queue_due(session: AsyncSession) -> int:
    """A job for each webhook that has something due and no job yet; returns how many."""
    queued = 0
    for webhook_id in (await session.scalars(_due())).all():
        job = await enqueue(
            session, DELIVER, {"webhook_id": webhook_id}, key=f"webhook:{webhook_id}"
        )
        queued += job is not None
    return queued
