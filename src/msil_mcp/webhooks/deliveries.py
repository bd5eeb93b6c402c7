"""The rows of what is to be delivered, and what became of it. Nothing here commits."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import UtcDateTime, utc_now
from msil_mcp.webhooks.errors import UnknownDelivery, WebhookPaused
from msil_mcp.webhooks.models import DeliveryState, Webhook, WebhookDelivery
from msil_mcp.webhooks.subscriptions import get_webhook, hold_webhook

TEST_TYPE: Final = "webhook.test"
KEEP: Final = timedelta(days=30)
_Row = WebhookDelivery


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries not yet made: how many, and the age of the oldest; and how many were given up."""

    count: int
    oldest_seconds: float
    dead: int


@dataclass(frozen=True, slots=True)
class DeliveryFilters:
    """What to look for; every given condition must hold."""

    state: DeliveryState | None = None
    event_type: str | None = None
    event_id: str | None = None


def new_row(
    webhook: Webhook, *, event_id: str, event_type: str, at: datetime, data: Any
) -> dict[str, Any]:
    """The columns of a delivery; its payload is fixed now, and so the same at every attempt."""
    body = {"type": event_type, "timestamp": at, "id": event_id, "data": data}
    now = utc_now()
    return {
        "webhook_id": webhook.id,
        "event_id": event_id,
        "event_type": event_type,
        "payload": msgspec.json.encode(body).decode(),
        "state": "pending",
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }


async def list_deliveries(
    session: AsyncSession,
    *,
    webhook_id: str,
    filters: DeliveryFilters,
    before: int | None,
    limit: int,
) -> Sequence[WebhookDelivery]:
    """Newest first, one more than `limit`; UnknownWebhook."""
    await get_webhook(session, webhook_id)
    wanted = {
        _Row.state: filters.state,
        _Row.event_type: filters.event_type,
        _Row.event_id: filters.event_id,
    }
    query = select(_Row).where(_Row.webhook_id == webhook_id).order_by(_Row.id.desc())
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if before is not None:
        query = query.where(_Row.id < before)
    return (await session.scalars(query.limit(limit + 1))).all()


async def get_delivery(
    session: AsyncSession, *, webhook_id: str, delivery_id: int
) -> WebhookDelivery:
    """One delivery of the webhook, or UnknownDelivery."""
    row = await session.get(_Row, delivery_id)
    if row is None or row.webhook_id != webhook_id:
        raise UnknownDelivery(delivery_id)
    return row


async def replay_delivery(
    session: AsyncSession, *, webhook_id: str, delivery_id: int
) -> WebhookDelivery:
    """Send it again, with a fresh count of attempts; its event id says that it is the same."""
    await _hold_active(session, webhook_id)
    row = await get_delivery(session, webhook_id=webhook_id, delivery_id=delivery_id)
    row.state, row.attempts, row.next_at = "pending", 0, utc_now()
    row.delivered_at = None
    await session.flush()
    return row


async def replay_dead(session: AsyncSession, *, webhook_id: str, since: datetime | None) -> int:
    """Send again everything that was given up; returns how much that is."""
    await _hold_active(session, webhook_id)
    statement = update(_Row).where(_Row.webhook_id == webhook_id, _Row.state == "dead")
    if since is not None:
        statement = statement.where(_Row.created_at >= since)
    values = {"state": "pending", "attempts": 0, "next_at": utc_now()}
    return len((await session.execute(statement.values(values).returning(_Row.id))).all())


async def add_test(session: AsyncSession, *, webhook_id: str) -> WebhookDelivery:
    """An event of no consequence, to see whether it arrives."""
    webhook = await _hold_active(session, webhook_id)
    event_id = f"evt_{secrets.token_hex(16)}"
    data = {"webhook_id": webhook_id}
    row = _Row(**new_row(webhook, event_id=event_id, event_type=TEST_TYPE, at=utc_now(), data=data))
    session.add(row)
    await session.flush()
    return row


async def waiting(session: AsyncSession) -> Waiting:
    """What is still to be delivered to webhooks that are not paused."""
    query = (
        select(func.count(), func.min(_Row.created_at, type_=UtcDateTime()))
        .join(Webhook, Webhook.id == _Row.webhook_id)
        .where(_Row.state.in_(("pending", "failed")), Webhook.active.is_(True))
    )
    count, oldest = (await session.execute(query)).one()
    dead = await session.scalar(select(func.count()).where(_Row.state == "dead")) or 0
    age = 0.0 if count == 0 else max(0.0, (utc_now() - oldest).total_seconds())
    return Waiting(count=count, oldest_seconds=age, dead=dead)


async def forget_old(session: AsyncSession) -> None:
    """Delete what was delivered or given up long ago; what is being replayed stays."""
    limit = utc_now() - KEEP
    settled = _Row.state.in_(("delivered", "dead"))
    old = select(_Row.id).where(settled, _Row.created_at < limit)
    await session.execute(delete(_Row).where(_Row.id.in_(old.with_for_update(skip_locked=True))))


async def _hold_active(session: AsyncSession, webhook_id: str) -> Webhook:
    webhook = await hold_webhook(session, webhook_id)
    if not webhook.active:
        raise WebhookPaused
    return webhook
