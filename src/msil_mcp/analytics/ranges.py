"""The time that is looked at, and how finely: the server chooses, so that answers are bounded."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Query

from msil_mcp.db.database import utc_now
from msil_mcp.errors import BadRequest
from msil_mcp.pagination import Moment

HOUR: Final = 3_600
DAY: Final = 86_400
DEFAULT: Final = timedelta(hours=24)
LONGEST: Final = timedelta(days=92)
BUCKETS: Final = ((2, 60), (10, 300), (30, 900), (60, 1_800), (8 * 24, HOUR), (31 * 24, 6 * HOUR))
"""For ranges of up to so many hours, the seconds of a bucket; days beyond."""
TOOL_BUCKETS: Final = ((2, 60), (6, 300), (8 * 24, HOUR))
"""The same for one tool, of which summaries keep whole hours and days."""


class BadRange(BadRequest):
    """The time asked about is empty or too long."""

    slug = "bad_range"

    def __init__(self) -> None:
        super().__init__(days=LONGEST.days)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` on and before `end`, in buckets; `start` is the beginning of one."""

    start: datetime
    end: datetime
    bucket_seconds: int

    @property
    def bucket_starts(self) -> range:
        """Where each bucket begins, in seconds of the epoch."""
        return range(int(self.start.timestamp()), _ceiling(self.end), self.bucket_seconds)


@dataclass(frozen=True, slots=True)
class AskedRange:
    """What was asked for, before the width of buckets is chosen."""

    start: datetime
    end: datetime

    def in_buckets(self, rules: tuple[tuple[int, int], ...] = BUCKETS) -> TimeRange:
        """The range with its start moved back to the beginning of a bucket."""
        hours = (self.end - self.start) / timedelta(hours=1)
        width = next((seconds for longest, seconds in rules if hours <= longest), DAY)
        return TimeRange(start_of(self.start, width), self.end, width)


def start_of(moment: datetime, seconds: int) -> datetime:
    """The beginning of the bucket, hour or UTC day that a moment is in."""
    return moment - timedelta(seconds=moment.timestamp() % seconds)


def asked_range(
    from_: Annotated[
        Moment | None,
        Query(alias="from", description="From this time on; UTC without a zone. Default: a day."),
    ] = None,
    to: Annotated[
        Moment | None, Query(description="Before this time; UTC without a zone. Default: now.")
    ] = None,
) -> AskedRange:
    """The time in the query of a request; BadRange when it makes no sense."""
    now = utc_now()
    end = min(to, now) if to else now
    start = from_ or end - DEFAULT
    if not timedelta(0) < end - start <= LONGEST:
        raise BadRange
    return AskedRange(start, end)


def _ceiling(moment: datetime) -> int:
    whole = int(moment.timestamp())
    return whole if moment.timestamp() == whole else whole + 1
