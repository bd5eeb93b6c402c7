"""A read replica: a PostgreSQL standby that answers what may be a few seconds old.

Only queries that say so are sent there, and while it does not answer they go to the primary, so
losing it costs nobody an answer.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

log = structlog.get_logger()

CONNECT_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 5.0
"""How long a replica that did not answer is left alone, so that not every query waits for it."""

_LAG = text(
    "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 "
    "WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
    "ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"
)


class Replica:
    """Sessions on the standby; `engine` refuses writes, whatever the server behind it is."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._away_until = float("-inf")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession | None]:
        """A connected session for queries, or None while the replica does not answer."""
        async with self._sessions() as session:
            yield session if await self._reaches(session) else None

    async def healthy(self) -> bool:
        """Whether it answers within two seconds."""
        return await self.lag_seconds() is not None

    async def lag_seconds(self) -> float | None:
        """How far behind the primary it is, None when it does not answer."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS), self.engine.connect() as connection:
                return float((await connection.execute(_LAG)).scalar() or 0.0)
        except (SQLAlchemyError, OSError, TimeoutError):
            return None

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()

    async def _reaches(self, session: AsyncSession) -> bool:
        if time.monotonic() < self._away_until:
            return False
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await session.connection()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("read_replica_away", error=type(error).__name__, seconds=AWAY_SECONDS)
            return False
        return True
