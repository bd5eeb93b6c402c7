"""Counting the trail itself: what no summary holds yet, and what summaries are made of.

Every query stays within one index that holds all it asks for, so the records are not read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
    case,
    cast,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.analytics.bins import DECADES
from msil_mcp.analytics.tallies import Summary, trouble_key
from msil_mcp.audit.records import AuditRecordRow

_Record = AuditRecordRow
RAN = ("succeeded", "failed", "unknown")
"""Outcomes of calls that took time; a refusal and a question took none."""


async def count_calls(
    session: AsyncSession,
    *,
    start: datetime,
    end: datetime,
    slot_seconds: int,
    tool: str | None = None,
) -> Summary:
    """Count the calls from `start` on and before `end`, of one tool or of all."""
    counting = _Counting(session, start, end, tool)
    summary = Summary()
    for slot, outcome, time_bin, calls in await counting.by(
        counting.slot(slot_seconds), _Record.outcome, counting.time_bin()
    ):
        summary.slot(slot * slot_seconds).count(outcome, calls, time_bin=time_bin)
    if tool is None:
        await _count_by_name(counting, summary)
    unhappy = _Record.outcome.in_(("failed", "denied", "unknown"))
    for name, outcome, rule, error, calls in await counting.by(
        _Record.tool, _Record.outcome, _Record.rule, _Record.error, where=unhappy
    ):
        summary.troubles.setdefault(name, {})[trouble_key(outcome, rule, error)] = calls
    return summary


async def _count_by_name(counting: "_Counting", summary: Summary) -> None:
    for tool, outcome, time_bin, calls in await counting.by(
        _Record.tool, _Record.outcome, counting.time_bin()
    ):
        summary.tool(tool).count(outcome, calls, time_bin=time_bin)
    for caller, outcome, calls in await counting.by(_Record.principal_id, _Record.outcome):
        summary.callers.setdefault(caller, {})[outcome] = calls
    for origin, calls in await counting.by(_Record.origin):
        summary.origins[origin] = calls


class _Counting:
    def __init__(
        self, session: AsyncSession, start: datetime, end: datetime, tool: str | None
    ) -> None:
        self._session = session
        self._sqlite = session.get_bind().dialect.name == "sqlite"
        # In the words of the partial index, so that both databases use it.
        self._calls: list[ColumnElement[bool]] = [
            literal_column("kind = 'tool.call'", Boolean),
            _Record.at >= start,
            _Record.at < end,
        ]
        if tool is not None:
            self._calls.append(_Record.tool == tool)

    async def by(self, *columns: Any, where: ColumnElement[bool] | None = None) -> Sequence[Any]:
        """Calls counted by these columns."""
        query: Select[Any] = select(*columns, func.count()).where(*self._calls)
        if where is not None:
            query = query.where(where)
        numbers = [text(str(place + 1)) for place in range(len(columns))]
        return list((await self._session.execute(query.group_by(*numbers))).all())

    def slot(self, seconds: int) -> Any:
        """Which slot since the epoch a call ended in."""
        if self._sqlite:
            return cast(func.strftime("%s", _Record.at), Integer) // seconds
        return self._whole(func.extract("epoch", _Record.at) / seconds)

    def time_bin(self) -> Any:
        """The bin of a call's time; none for what did not run."""
        time = _Record.duration_ms
        numbered = [
            (time < limit, self._whole((time - start) / width) + first)
            for limit, first, start, width in DECADES[:-1]
        ]
        _, first, start, width = DECADES[-1]
        last = self._whole((time - start) / width) + first
        return case((_Record.outcome.in_(RAN), case(*numbered, else_=last)))

    def _whole(self, number: Any) -> Any:
        """Rounded down: a cast does so on SQLite, and rounds to the nearest on PostgreSQL."""
        return cast(number if self._sqlite else func.floor(number), Integer)
