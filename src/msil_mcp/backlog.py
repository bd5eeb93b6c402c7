"""What waits in the database, for the gauges: asked now and then, never by a scrape."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import Database
from msil_mcp.governance.approvals import count_waiting
from msil_mcp.governance.executions import count_unknown
from msil_mcp.identity.keys import count_expiring
from msil_mcp.jobs import Standing, unfinished
from msil_mcp.observability.metrics import Metrics
from msil_mcp.webhooks.deliveries import Waiting, waiting

log = structlog.get_logger()

LOOK_SECONDS: Final = 10.0
NOTHING: Final = Waiting(count=0, oldest_seconds=0.0, dead=0)
HORIZONS: Final = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Backlog:
    """One look; every replica sees the same."""

    jobs: Mapping[str, Standing] = field(default_factory=dict)
    deliveries: Waiting = NOTHING
    keys_expiring: Mapping[str, int] = field(default_factory=dict)
    approvals: int = 0
    unknown_calls: int = 0


async def read_backlog(session: AsyncSession) -> Backlog:
    """A handful of small queries."""
    return Backlog(
        jobs=await unfinished(session),
        deliveries=await waiting(session),
        keys_expiring={
            name: await count_expiring(session, within=within) for name, within in HORIZONS.items()
        },
        approvals=await count_waiting(session),
        unknown_calls=await count_unknown(session),
    )


class BacklogWatch:
    """Keeps the last look for the gauges; while the database is away that is an old one."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self.last = Backlog()
        metrics.set_gauge_source("mcp_approvals_waiting", lambda: self.last.approvals)
        metrics.set_gauge_source("mcp_calls_unknown", lambda: self.last.unknown_calls)
        metrics.set_gauge_source(
            "mcp_webhook_deliveries_waiting", lambda: self.last.deliveries.count
        )
        metrics.set_gauge_source(
            "mcp_webhook_oldest_waiting_seconds", lambda: self.last.deliveries.oldest_seconds
        )
        metrics.set_gauge_source("mcp_webhook_dead_letters", lambda: self.last.deliveries.dead)
        metrics.set_labelled_source("mcp_keys_expiring", lambda: self.last.keys_expiring)
        metrics.set_labelled_source(
            "mcp_jobs_dead", lambda: {kind: job.dead for kind, job in self.last.jobs.items()}
        )
        metrics.set_labelled_source(
            "mcp_jobs_overdue_seconds",
            lambda: {kind: job.overdue_seconds for kind, job in self.last.jobs.items()},
        )

    async def run(self, *, every: float = LOOK_SECONDS) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with self._database.reading() as session:
                    self.last = await read_backlog(session)
            except (SQLAlchemyError, OSError) as error:
                log.warning("backlog_not_read", error=type(error).__name__)
            await asyncio.sleep(every)
