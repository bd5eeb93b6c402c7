"""Summaries of what is over, made by a job, and what a range is put together from.

An hour is summarised some minutes after its end, when every replica has written what it was to
write. Until then, and for the ends of a range that are no whole hours, the trail is counted.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.analytics.counting import count_calls
from msil_mcp.analytics.ranges import DAY, HOUR, TimeRange, start_of
from msil_mcp.analytics.tables import AnalyticsSummary
from msil_mcp.analytics.tallies import SLOT_SECONDS, Summary, packed, unpacked
from msil_mcp.audit.records import AuditRecordRow
from msil_mcp.db.database import Database, UtcDateTime, utc_now

SUMMARISE: Final = "analytics.summarise"
SUMMARISE_SECONDS: Final = 300.0
SETTLED: Final = timedelta(minutes=10)
"""How long after an hour its last records may still come."""
MOST_HOURS: Final = 24 * 31
"""How far back one run of the job looks for hours that nobody summarised."""

log = structlog.get_logger()


class Stretch(NamedTuple):
    """An hour or a day."""

    start: datetime
    seconds: int

    @property
    def end(self) -> datetime:
        """Where the next one begins."""
        return self.start + timedelta(seconds=self.seconds)


@dataclass(slots=True)
class Parts:
    """What covers a range without gap or overlap."""

    summaries: list[Stretch] = field(default_factory=list)
    counted: list[tuple[datetime, datetime]] = field(default_factory=list)


FINEST: Final = {DAY: HOUR, HOUR: SLOT_SECONDS}
"""For the summary of a day and of an hour, how finely it keeps the course of all calls."""
FINEST_OF_TOOL: Final = {DAY: DAY, HOUR: HOUR}
"""The same for the calls of one tool."""


def parts_of(
    wanted: TimeRange, kept: Collection[Stretch], *, finest: Mapping[int, int] = FINEST
) -> Parts:
    """The longest summaries that are kept, and between them what must be counted."""
    parts, at = Parts(), wanted.start
    lengths = [seconds for seconds, slot in finest.items() if not wanted.bucket_seconds % slot]
    while at < wanted.end:
        found = next(
            (
                stretch
                for seconds in lengths
                if (stretch := Stretch(at, seconds)) in kept and stretch.end <= wanted.end
            ),
            None,
        )
        if found is not None:
            parts.summaries.append(found)
            at = found.end
            continue
        until = min(start_of(at, HOUR) + timedelta(seconds=HOUR), wanted.end)
        if parts.counted and parts.counted[-1][1] == at:
            parts.counted[-1] = (parts.counted[-1][0], until)
        else:
            parts.counted.append((at, until))
        at = until
    return parts


async def summary_of(
    session: AsyncSession, wanted: TimeRange, *, tool: str | None = None
) -> Summary:
    """What the calls of a range amounted to, those of one tool or all."""
    kept = await _kept(session, wanted.start, wanted.end)
    parts = parts_of(wanted, kept, finest=FINEST if tool is None else FINEST_OF_TOOL)
    whole = Summary()
    for start, end in parts.counted:
        found = await count_calls(
            session, start=start, end=end, slot_seconds=wanted.bucket_seconds, tool=tool
        )
        whole.add(found, slot_seconds=wanted.bucket_seconds)
    stored = await _contents(session, parts.summaries)
    await asyncio.to_thread(_add_stored, whole, stored, wanted.bucket_seconds, tool)
    return whole


def _add_stored(
    whole: Summary, stored: Iterable[tuple[datetime, bytes]], slot_seconds: int, tool: str | None
) -> None:
    for start, content in stored:
        summary = unpacked(content)
        if tool is not None:
            summary = _of_tool(summary, tool, at=int(start.timestamp()))
        whole.add(summary, slot_seconds=slot_seconds)


def _of_tool(summary: Summary, tool: str, *, at: int) -> Summary:
    tally = summary.tools.get(tool)
    if tally is None:
        return Summary()
    troubles = summary.troubles.get(tool)
    return Summary(slots={at: tally}, troubles={tool: troubles} if troubles else {})


async def _kept(session: AsyncSession, start: datetime, end: datetime) -> set[Stretch]:
    row = AnalyticsSummary
    query = select(row.start, row.seconds).where(row.start >= start, row.start < end)
    return {Stretch(*found) for found in await session.execute(query)}


async def _contents(
    session: AsyncSession, stretches: Sequence[Stretch]
) -> list[tuple[datetime, bytes]]:
    row = AnalyticsSummary
    found: list[tuple[datetime, bytes]] = []
    for seconds in {stretch.seconds for stretch in stretches}:
        starts = [stretch.start for stretch in stretches if stretch.seconds == seconds]
        query = select(row.start, row.content).where(row.seconds == seconds, row.start.in_(starts))
        found += [(start, content) for start, content in await session.execute(query)]
    return found


async def summarise(database: Database, *, kept_days: int) -> int:
    """Summarise the hours and days that are over, the newest first; how many were made.

    Of two processes that do it at once, one's are kept; they are the same.
    """
    now = utc_now()
    hours_end = start_of(now - SETTLED, HOUR)
    async with database.reading() as session:
        first = await session.scalar(select(func.min(AuditRecordRow.at, type_=UtcDateTime())))
        if first is None:
            return 0
        oldest = max(start_of(first, HOUR), hours_end - timedelta(hours=MOST_HOURS))
        kept = await _kept(session, start_of(oldest, DAY), now)
    made = 0
    for hour in _backwards(oldest, hours_end, HOUR):
        if hour not in kept:
            await _summarise_hour(database, hour)
            kept.add(hour)
            made += 1
    for day in _backwards(start_of(oldest, DAY), start_of(hours_end, DAY), DAY):
        if day not in kept:
            await _summarise_day(database, day)
            made += 1
    await _forget(database, before=now - timedelta(days=kept_days))
    if made:
        log.info("analytics_summarised", made=made)
    return made


def _backwards(start: datetime, end: datetime, seconds: int) -> Iterable[Stretch]:
    at = end - timedelta(seconds=seconds)
    while at >= start:
        yield Stretch(at, seconds)
        at -= timedelta(seconds=seconds)


async def _summarise_hour(database: Database, hour: Stretch) -> None:
    async with database.reading() as session:
        summary = await count_calls(
            session, start=hour.start, end=hour.end, slot_seconds=SLOT_SECONDS
        )
    await _keep(database, hour, summary)


async def _summarise_day(database: Database, day: Stretch) -> None:
    async with database.reading() as session:
        summary = await summary_of(session, TimeRange(day.start, day.end, HOUR))
    await _keep(database, day, summary)


async def _keep(database: Database, stretch: Stretch, summary: Summary) -> None:
    values = {"start": stretch.start, "seconds": stretch.seconds, "content": packed(summary)}
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    async with database.unit_of_work() as session:
        await session.execute(insert(AnalyticsSummary).values(values).on_conflict_do_nothing())


async def _forget(database: Database, *, before: datetime) -> None:
    async with database.unit_of_work() as session:
        await session.execute(delete(AnalyticsSummary).where(AnalyticsSummary.start < before))
