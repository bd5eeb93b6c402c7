"""When each key was last used: noted in memory, written at most once a minute."""

import asyncio
import contextlib
from datetime import UTC, datetime

import structlog
from sqlalchemy import bindparam, update
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.db.database import Database
from msil_mcp.identity.tables import ApiKey

FLUSH_SECONDS = 60.0

log = structlog.get_logger()

_WRITE = update(ApiKey).where(ApiKey.id == bindparam("key")).values(last_used_at=bindparam("at"))


class KeyUsage:
    """Collects uses on the hot path for the price of a dictionary entry."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}

    def note(self, key_id: int, at: float) -> None:
        """The key was used at this time, in seconds of the epoch."""
        self._seen[key_id] = at

    async def flush(self, database: Database) -> int:
        """Write what was noted and forget it; returns the number of keys written."""
        seen, self._seen = self._seen, {}
        if not seen:
            return 0
        # In one order everywhere: two processes that write the same keys cannot deadlock.
        rows = [{"key": key, "at": datetime.fromtimestamp(seen[key], UTC)} for key in sorted(seen)]
        written = False
        try:
            async with database.unit_of_work() as session:
                await (await session.connection()).execute(_WRITE, rows)
            written = True
        finally:
            if not written:
                self._seen = seen | self._seen
        return len(rows)

    async def run(self, database: Database, *, every: float = FLUSH_SECONDS) -> None:
        """Flush until cancelled, and once more then; a failure is retried with the next batch."""
        try:
            while True:
                await asyncio.sleep(every)
                try:
                    await self.flush(database)
                except SQLAlchemyError as error:
                    log.warning("key_usage_not_written", error=str(error))
        finally:
            with contextlib.suppress(SQLAlchemyError):
                await self.flush(database)
