"""What of calls is kept only for a while: results for replay, and agreement nobody made use of."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, update

from msil_mcp.db.database import Database, utc_now
from msil_mcp.governance.approvals import OPEN, Approval
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.observability.metrics import ApprovalEvent

PAGE: Final = 500
LOOK_BACK: Final = timedelta(days=1)
"""How long after it began a call may still get its result: a repeat may finish it late."""

log = structlog.get_logger()


class ResultRetention:
    """Forgets results past their time; the rows stay, so that a key is never used twice."""

    def __init__(self, database: Database, *, seconds: float) -> None:
        self._database = database
        self._kept = timedelta(seconds=seconds)
        self._done = ""

    async def forget(self) -> int:
        """How many results were forgotten; looks again only at what has aged since the last time.

        Pages, so that no transaction is long. Results of chat calls belong to their conversation.
        """
        end = utc_now() - self._kept
        after, forgotten = self._done, 0
        while ids := await self._aged(after, _id_at(end)):
            async with self._database.unit_of_work() as session:
                await session.execute(
                    update(ToolExecution).where(ToolExecution.id.in_(ids)).values(result=None)
                )
            after, forgotten = ids[-1], forgotten + len(ids)
        self._done = _id_at(end - LOOK_BACK)
        if forgotten:
            log.info("results_forgotten", count=forgotten)
        return forgotten

    async def _aged(self, after: str, before: str) -> list[str]:
        row = ToolExecution
        query = (
            select(row.id)
            .where(row.id > after, row.id < before, row.result.is_not(None), row.origin != "chat")
            .order_by(row.id)
            .limit(PAGE)
        )
        async with self._database.reading() as session:
            return list((await session.scalars(query)).all())


def _id_at(moment: datetime) -> str:
    """The smallest id an execution could have been given at that moment."""
    return f"{max(0, int(moment.timestamp() * 1_000_000)):014x}"


async def expire_approvals(database: Database, *, on_event: Callable[[ApprovalEvent], None]) -> int:
    """Close approvals past their time, answered or not; how many.

    One that somebody else is closing or using now is left to the next time.
    """
    late = select(Approval.id).where(Approval.state.in_(OPEN), Approval.expires_at <= utc_now())
    async with database.unit_of_work() as session:
        closed = await session.execute(
            update(Approval)
            .where(Approval.id.in_(late.with_for_update(skip_locked=True)))
            .values(state="expired")
            .returning(Approval.id)
        )
        count = len(closed.all())
    for _ in range(count):
        on_event("expired")
    return count
