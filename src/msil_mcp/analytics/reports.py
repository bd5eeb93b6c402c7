"""From sums to what people read: lines in order, percentiles, and the words for errors. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from msil_mcp.analytics.bins import percentiles
from msil_mcp.analytics.ranges import TimeRange
from msil_mcp.analytics.tallies import Summary, Tally, add_counts, total
from msil_mcp.analytics.views import ErrorLine, OriginLine, Point, RefusalLine, ToolFigures, Totals
from msil_mcp.errors import MsilError

SHARES: Final = (0.5, 0.95, 0.99)
Title = Callable[[str], str | None]
_OUTCOMES: Final = ("succeeded", "failed", "denied", "needs_confirmation", "unknown")


def looked_at(looked: TimeRange) -> dict[str, Any]:
    """The range as every answer begins with it."""
    return {"start": looked.start, "end": looked.end, "bucket_seconds": looked.bucket_seconds}


def counts(outcomes: Mapping[str, int]) -> dict[str, int]:
    """Every outcome by name, and their sum."""
    found = {outcome: outcomes.get(outcome, 0) for outcome in _OUTCOMES}
    return found | {"calls": sum(found.values())}


def figures(tally: Tally) -> dict[str, Any]:
    """The counts and percentiles of a tally."""
    p50, p95, p99 = percentiles(tally.times, SHARES)
    return {**counts(tally.outcomes), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def totals(tally: Tally) -> dict[str, Any]:
    """The figures of a tally and its rate of success."""
    found = figures(tally)
    ran = found["succeeded"] + found["failed"] + found["unknown"]
    return found | {"success_rate": found["succeeded"] / ran if ran else None}


def totals_of(summary: Summary) -> Totals:
    """Everything in a summary together."""
    return Totals(**totals(total(summary.slots.values())))


def series_of(summary: Summary, looked: TimeRange) -> list[Point]:
    """Every bucket, those without a call too."""
    nothing = Tally()
    return [
        Point(at=datetime.fromtimestamp(start, UTC), **figures(summary.slots.get(start, nothing)))
        for start in looked.bucket_starts
    ]


def tools_of(summary: Summary, *, title: Title, most: int) -> list[ToolFigures]:
    """The tools that were called most."""
    found = sorted(summary.tools.items(), key=lambda entry: (-entry[1].calls, entry[0]))
    return [
        ToolFigures(tool=name, title=title(name), **totals(tally)) for name, tally in found[:most]
    ]


def callers_of(summary: Summary, *, most: int) -> list[tuple[str, dict[str, int]]]:
    """The callers that called most, with their counts."""
    found = [(caller, counts(outcomes)) for caller, outcomes in summary.callers.items()]
    return sorted(found, key=lambda entry: (-entry[1]["calls"], entry[0]))[:most]


def origins_of(summary: Summary) -> list[OriginLine]:
    """The doors that calls came through."""
    return [
        OriginLine(origin=origin, calls=calls) for origin, calls in _most_first(summary.origins)
    ]


def errors_of(summary: Summary) -> list[ErrorLine]:
    """What went wrong in calls that ran."""
    return [
        ErrorLine(error=error, title=title_of(error), outcome=outcome, calls=calls)
        for (outcome, _, error), calls in _troubles(summary)
        if outcome != "denied"
    ]


def refusals_of(summary: Summary) -> list[RefusalLine]:
    """What was refused, by which rule and why."""
    return [
        RefusalLine(rule=rule, error=error, title=title_of(error), calls=calls)
        for (outcome, rule, error), calls in _troubles(summary)
        if outcome == "denied"
    ]


def _troubles(summary: Summary) -> Iterable[tuple[tuple[str, str, str], int]]:
    whole: dict[str, int] = {}
    for troubles in summary.troubles.values():
        add_counts(whole, troubles)
    for key, calls in _most_first(whole):
        outcome, rule, error = key.split("|", 2)
        yield (outcome, rule, error), calls


def _most_first(found: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))


def title_of(slug: str) -> str:
    """The title of an error; its slug in words for one of another release."""
    return _titles().get(slug) or slug.replace("_", " ").capitalize()


@cache
def _titles() -> Mapping[str, str]:
    found: dict[str, str] = {}
    waiting: list[type[MsilError]] = [MsilError]
    while waiting:
        error = waiting.pop()
        found.setdefault(error.slug, error.title)
        waiting += error.__subclasses__()
    return found
