"""When dealers work: slots, lanes, closed days and how far ahead one may book. Pure rules.

A day has twelve slots that start every half hour: 09:00 to 11:30 and 14:00 to 16:30; the last
one of a half day ends at 12:00 or 17:00. Each slot has two lanes with seats of their own: the
workshop (regular services and body repairs, 5 seats) and the express bay (3 seats). Dealers are
closed on Sundays and on four fixed holidays. All times are Asia/Kolkata.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from booking_api.errors import DealerClosed, NotASlot, OutsideBookingWindow, SlotPassed

INDIA: Final = ZoneInfo("Asia/Kolkata")
BOOKING_WINDOW_DAYS: Final = 90

Clock = Callable[[], datetime]
ServiceType = Literal["regular", "express", "body_repair"]
Lane = Literal["workshop", "express"]

LANE_SEATS: Final[dict[Lane, int]] = {"workshop": 5, "express": 3}
DURATIONS: Final[dict[ServiceType, str]] = {
    "regular": "3-4 hours",
    "express": "1-2 hours",
    "body_repair": "1-2 days",
}
SLOT_TIMES: Final = tuple(
    f"{hour:02d}:{minute:02d}" for hour in (9, 10, 11, 14, 15, 16) for minute in (0, 30)
)
HOLIDAYS: Final[dict[tuple[int, int], str]] = {
    (1, 26): "Republic Day",
    (8, 15): "Independence Day",
    (10, 2): "Gandhi Jayanti",
    (12, 25): "Christmas Day",
}
_SUNDAY = 6


def india_now() -> datetime:
    """The wall clock of the dealers."""
    return datetime.now(INDIA)


def lane_of(service_type: ServiceType) -> Lane:
    """Which seats a service takes."""
    return "express" if service_type == "express" else "workshop"


def closed_because(day: date) -> str | None:
    """Why every dealer is closed that day, or None when they work."""
    if day.weekday() == _SUNDAY:
        return "a Sunday"
    return HOLIDAYS.get((day.month, day.day))


def next_open_day(day: date) -> date:
    """The first working day after `day`."""
    following = day + timedelta(days=1)
    while closed_because(following):
        following += timedelta(days=1)
    return following


def ensure_open_day(day: date, *, now: datetime) -> None:
    """A day one may book.

    Raises:
        OutsideBookingWindow: It is in the past or too far ahead.
        DealerClosed: It is a Sunday or a holiday.
    """
    today = now.astimezone(INDIA).date()
    last = today + timedelta(days=BOOKING_WINDOW_DAYS)
    if not today <= day <= last:
        raise OutsideBookingWindow(day=day, today=today, last=last)
    reason = closed_because(day)
    if reason:
        raise DealerClosed(day=day, reason=reason, next_open=next_open_day(day))


def slot_start(day: date, slot_time: str) -> datetime:
    """The moment a slot begins."""
    return datetime.combine(day, time.fromisoformat(slot_time), tzinfo=INDIA)


def has_passed(day: date, slot_time: str, *, now: datetime) -> bool:
    """Whether the slot has already begun."""
    return slot_start(day, slot_time) <= now


def ensure_bookable(day: date, slot_time: str, *, now: datetime) -> None:
    """A slot of an open day that has not begun.

    Raises:
        OutsideBookingWindow: The day is in the past or too far ahead.
        DealerClosed: The day is a Sunday or a holiday.
        NotASlot: No slot starts at that time.
        SlotPassed: It is today's and has begun.
    """
    ensure_open_day(day, now=now)
    if slot_time not in SLOT_TIMES:
        raise NotASlot(slot_time=slot_time, slot_times=SLOT_TIMES)
    if has_passed(day, slot_time, now=now):
        raise SlotPassed(day=day, slot_time=slot_time)
