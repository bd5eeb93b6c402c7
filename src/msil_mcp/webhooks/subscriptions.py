"""Making, changing and ending subscriptions. Nothing here commits."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.audit.records import AuditChainRow, AuditRecordRow
from msil_mcp.db.database import utc_now
from msil_mcp.principal import Principal
from msil_mcp.sealing import Sealer
from msil_mcp.webhooks.errors import UnknownWebhook
from msil_mcp.webhooks.models import Webhook, WebhookCursor
from msil_mcp.webhooks.signing import new_secret
from msil_mcp.webhooks.targets import check_target

LOCK: Final = 0x6D73696C_776562


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What is asked for."""

    url: str
    event_types: list[str]
    description: str = ""
    allow_private: bool = False


async def take_turn(session: AsyncSession) -> None:
    """One transaction at a time moves the cursors; on SQLite it already is the only writer."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(LOCK)))


async def active_webhooks(session: AsyncSession) -> Sequence[Webhook]:
    """Those that events become deliveries for."""
    return (await session.scalars(select(Webhook).where(Webhook.active.is_(True)))).all()


async def list_webhooks(session: AsyncSession, *, after: str, limit: int) -> Sequence[Webhook]:
    """By id, one more than `limit`."""
    query = select(Webhook).where(Webhook.id > after).order_by(Webhook.id).limit(limit + 1)
    return (await session.scalars(query)).all()


async def get_webhook(session: AsyncSession, webhook_id: str) -> Webhook:
    """The webhook with the id, or UnknownWebhook."""
    row = await session.get(Webhook, webhook_id)
    if row is None:
        raise UnknownWebhook(webhook_id)
    return row


async def hold_webhook(session: AsyncSession, webhook_id: str) -> Webhook:
    """The webhook as it is now, kept from every other change until this transaction ends.

    Whoever changes deliveries holds their webhook first: in one order, no two can deadlock. New
    deliveries need not; UnknownWebhook.
    """
    query = select(Webhook).where(Webhook.id == webhook_id).with_for_update(key_share=True)
    row = await session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise UnknownWebhook(webhook_id)
    return row


async def add_webhook(
    session: AsyncSession, *, new: NewWebhook, sealer: Sealer, by: Principal
) -> tuple[Webhook, str]:
    """A subscription to what happens from now on, and its secret."""
    check_target(new.url, allow_private=new.allow_private, by=by)
    secret, webhook_id = new_secret(), f"wh_{secrets.token_hex(12)}"
    row = Webhook(
        id=webhook_id,
        url=new.url,
        description=new.description,
        event_types=new.event_types,
        secret=sealer.seal(secret.encode(), bound_to=webhook_id.encode()),
        allow_private=new.allow_private,
        active=True,
        created_by=by.id,
        created_at=utc_now(),
    )
    await _start_from_now(session, row)
    session.add(row)
    await session.flush()
    return row, secret


async def change_webhook(
    session: AsyncSession, *, webhook_id: str, wanted: Mapping[str, Any], by: Principal
) -> Webhook:
    """Set the given columns; what happened while it was paused is not delivered later."""
    row = await hold_webhook(session, webhook_id)
    url, private = wanted.get("url", row.url), wanted.get("allow_private", row.allow_private)
    if (url, private) != (row.url, row.allow_private):
        check_target(url, allow_private=private, by=by)
    if wanted.get("active") and not row.active:
        await _start_from_now(session, row)
    for name, value in wanted.items():
        setattr(row, name, value)
    if row.active:
        row.paused_because = None
    await session.flush()
    return row


async def delete_webhook(session: AsyncSession, *, webhook_id: str) -> Webhook:
    """End a subscription and forget its deliveries."""
    row = await hold_webhook(session, webhook_id)
    await session.delete(row)
    await session.flush()
    return row


async def rotate_secret(
    session: AsyncSession, *, webhook_id: str, overlap: timedelta, sealer: Sealer
) -> tuple[Webhook, str]:
    """A new secret; for the overlap, events carry a signature of the old one too."""
    row = await hold_webhook(session, webhook_id)
    secret = new_secret()
    row.previous_secret = row.secret if overlap else None
    row.previous_until = utc_now() + overlap if overlap else None
    row.secret = sealer.seal(secret.encode(), bound_to=row.id.encode())
    await session.flush()
    return row, secret


def secrets_in_force(row: Webhook, *, sealer: Sealer) -> list[str]:
    """What events are signed with now, newest first."""
    sealed = [row.secret]
    if row.previous_secret and row.previous_until and row.previous_until > utc_now():
        sealed.append(row.previous_secret)
    return [sealer.open(one, bound_to=row.id.encode()).decode() for one in sealed]


async def _start_from_now(session: AsyncSession, row: Webhook) -> None:
    """What began before this transaction ends may be left out; what begins later is not.

    Without any active webhook nobody moves the cursors, so the first one puts them at the end.
    """
    await take_turn(session)
    row.first_record = await session.scalar(select(func.max(AuditRecordRow.id))) or 0
    if await session.scalar(select(Webhook.id).where(Webhook.active.is_(True)).limit(1)) is None:
        heads = select(AuditChainRow.writer_id, AuditChainRow.last_sequence)
        await session.execute(delete(WebhookCursor))
        await session.execute(insert(WebhookCursor).from_select(["writer_id", "sequence"], heads))
