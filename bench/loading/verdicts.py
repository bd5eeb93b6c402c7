"""Each promised figure beside what was measured of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.loading.locusts import Answered
from bench.loading.scraping import Scrape


@dataclass(frozen=True, slots=True)
class Verdict:
    """`floor` is what the requirements allow at most (or least), `target` what we hold."""

    what: str
    floor: str
    target: str
    measured: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Climbed:
    """The highest rate that was answered in time, and the first that was not."""

    best: Answered | None
    beyond: Answered | None


P95_MS = 145.0
ERRORS = 0.001
PER_SECOND = 100.0


def is_in_time(answered: Answered) -> bool:
    """Whether a rate counts: 95 of 100 within 145 ms, and hardly an error."""
    return answered.percentile(0.95) < P95_MS and answered.error_share < ERRORS


def judge(steady: Answered, told: Scrape, climbed: Climbed) -> Iterator[Verdict]:
    """Every figure of one leg."""
    yield _below("request latency, average", steady.average, floor=200, target=85)
    yield _below("request latency, P95", steady.percentile(0.95), floor=500, target=P95_MS)
    yield _below("request latency, P99", steady.percentile(0.99), floor=1000, target=300)
    tools = told.timed("mcp_tool_duration_seconds")
    yield _below("tool execution, P95", tools.p95, floor=500, target=200)
    model = told.timed("openai_request_duration_seconds")
    yield _below("model latency, average (scripted model)", model.average, floor=2000, target=1500)
    queries = told.timed("mcp_database_query_duration_seconds")
    yield _below("database statement, average", queries.average, floor=50, target=10)
    yield _below("database statement, P95", queries.p95, floor=50, target=50)
    yield _errors("errors", steady)
    best = climbed.best.rate if climbed.best else 0.0
    yield Verdict(
        what="throughput with P95 below 145 ms",
        floor=">= 50 req/s",
        target=f">= {PER_SECOND:.0f} req/s",
        measured=f"{best:,.0f} req/s",
        holds=best >= PER_SECOND,
    )


def judge_crowd(crowd: Answered, *, users: int) -> Iterator[Verdict]:
    """More users than the requirements name, at the same pace each."""
    yield _below(f"{users} users: P95", crowd.percentile(0.95), floor=500, target=P95_MS)
    yield _errors(f"{users} users: errors", crowd)


def _errors(what: str, answered: Answered) -> Verdict:
    return Verdict(
        what=what,
        floor="< 1 %",
        target="< 0.1 %",
        measured=f"{answered.error_share:.2%} ({answered.failures} of {answered.requests:,})",
        holds=answered.error_share < ERRORS,
    )


def _below(what: str, measured: float, *, floor: float, target: float) -> Verdict:
    return Verdict(
        what=what,
        floor=f"< {floor:g} ms",
        target=f"< {target:g} ms",
        measured=f"{measured:.1f} ms",
        holds=measured < target,
    )
