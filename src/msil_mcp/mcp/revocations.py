"""Ended legacy sessions: a row until the session would have expired, and word over the bus."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog
from sqlalchemy import String, delete, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.bus import Bus, BusInterrupted, BusUnavailable, SubscriberTooSlow
from msil_mcp.db.database import Base, Database, UtcDateTime, translated_errors, utc_now

TOPIC: Final = "mcp.revoked"
RELOAD_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


class RevokedSession(Base):
    """A session its client ended; the row may go when the session would have expired."""

    __tablename__ = "mcp_revoked_sessions"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class _Revoked(msgspec.Struct, array_like=True):
    session_id: str
    expires_at: int


class StoredRevocations:
    """Kept in the database, held in memory, followed over the bus; reloaded now and then."""

    def __init__(self, *, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._revoked: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load what is in force and begin to follow."""
        await self._load()
        self._tasks = [
            asyncio.create_task(self._follow(), name="mcp-revocations-follow"),
            asyncio.create_task(self._reload(), name="mcp-revocations-reload"),
        ]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_revoked(self, session_id: str) -> bool:
        """From memory."""
        return session_id in self._revoked

    async def revoke(self, session_id: str, *, expires_at: int) -> None:
        """Write the row, then tell everybody."""
        moment = datetime.fromtimestamp(expires_at, tz=UTC)
        with translated_errors():
            try:
                async with self._database.unit_of_work() as session:
                    session.add(RevokedSession(session_id=session_id, expires_at=moment))
            except IntegrityError:
                log.debug("mcp_session_revoked_twice")
        self._revoked[session_id] = expires_at
        try:
            await self._bus.publish(TOPIC, msgspec.msgpack.encode(_Revoked(session_id, expires_at)))
        except BusUnavailable:
            # The row is written: the others find it when they reload.
            log.warning("mcp_revocation_not_announced")

    async def _load(self) -> None:
        query = select(RevokedSession).where(RevokedSession.expires_at > utc_now())
        async with self._database.reading() as session:
            rows = (await session.scalars(query)).all()
        now = time.time()
        kept = {key: expires for key, expires in self._revoked.items() if expires > now}
        self._revoked = kept | {row.session_id: row.expires_at.timestamp() for row in rows}

    async def _follow(self) -> None:
        while True:
            try:
                async with self._bus.subscribe(TOPIC) as events:
                    async for event in events:
                        revoked = msgspec.msgpack.decode(event.payload, type=_Revoked)
                        self._revoked[revoked.session_id] = revoked.expires_at
            except (BusInterrupted, BusUnavailable, SubscriberTooSlow) as error:
                log.warning("mcp_revocations_interrupted", reason=error.slug)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _reload(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            try:
                await self._load()
                async with self._database.unit_of_work() as session:
                    await session.execute(
                        delete(RevokedSession).where(RevokedSession.expires_at < utc_now())
                    )
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("mcp_revocations_not_reloaded", error=type(error).__name__)
