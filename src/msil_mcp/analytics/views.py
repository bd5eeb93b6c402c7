"""What the routes of analytics answer with. Times are in milliseconds, shares between 0 and 1."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.audit.records import RecordOutcome
from msil_mcp.tools.call import Origin, Rule


class Counts(BaseModel):
    """How calls ended; a question to a person counts as one that needs confirmation."""

    calls: int
    succeeded: int
    failed: int
    denied: int
    needs_confirmation: int
    unknown: int


class Times(BaseModel):
    """How long the calls that ran took, within five per cent; null where none ran."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Totals(Counts, Times):
    """Everything together."""

    success_rate: float | None = Field(
        description="Of the calls that ran, the share that succeeded; null where none ran."
    )


class Point(Counts, Times):
    """One bucket; `at` is its beginning."""

    at: datetime


class ToolFigures(Totals):
    """One tool; `title` is null for one that is not in force any more."""

    tool: str
    title: str | None


class CallerLine(Counts):
    """One caller; the name is the one it used last."""

    id: str
    name: str | None
    kind: Literal["user", "key", "token", "system"] | None


class OriginLine(BaseModel):
    """Calls that came through one door."""

    origin: Origin
    calls: int


class ErrorLine(BaseModel):
    """Calls that ran and went wrong in one way; `error` is the slug of the reference of errors."""

    error: str
    title: str
    outcome: Literal["failed", "unknown"]
    calls: int


class RefusalLine(BaseModel):
    """Calls that a rule refused for one reason; `error` is the slug."""

    rule: Rule
    error: str
    title: str
    calls: int


class Looked(BaseModel):
    """The time looked at, as the server cut it into buckets."""

    start: datetime
    end: datetime
    bucket_seconds: int


class Overview(Looked):
    """What calls amounted to."""

    totals: Totals
    series: list[Point]
    top_tools: list[ToolFigures] = Field(description="By calls, the most first.")
    callers: list[CallerLine] = Field(description="By calls, the most first.")
    origins: list[OriginLine]
    errors: list[ErrorLine]
    refusals: list[RefusalLine]
    approvals_pending: int


class ToolAnalytics(Looked):
    """What one tool's calls amounted to."""

    tool: str
    totals: Totals
    series: list[Point]
    errors: list[ErrorLine]
    refusals: list[RefusalLine]
    last_called_at: datetime | None


class ToolsInRange(Looked):
    """Every tool that was called."""

    tools: list[ToolFigures]


class CallLine(BaseModel):
    """One call, without its arguments and result; `id` is its audit record's."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    outcome: RecordOutcome
    rule: Rule | None
    error: str | None
    principal_id: str | None
    principal_name: str | None
    origin: Origin | None
    duration_ms: float | None
    upstream_ms: float | None
    upstream_status: int | None
    replayed: bool
    correlation_id: str | None
    session_id: str | None
    approval_id: str | None
