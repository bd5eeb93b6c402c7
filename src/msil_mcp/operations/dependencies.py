"""Everything this process depends on, and how it is doing: what readiness asks, and more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.audit.trail import Audit
from msil_mcp.bus import Bus
from msil_mcp.db.database import Database
from msil_mcp.jobs import Job, unfinished
from msil_mcp.llm.choice import Models
from msil_mcp.observability.masking import mask_text
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.readiness import Readiness
from msil_mcp.observability.sightings import Sighting
from msil_mcp.settings import Settings
from msil_mcp.upstream.discipline import CircuitState, Discipline

State = Literal["healthy", "unhealthy", "disabled", "unused"]
DependencyName = Literal["database", "replica", "redis", "audit", "configuration", "bus", "jobs"]
OVERDUE_SECONDS: Final = 60.0
"""A job that has waited this long for its turn says that nobody runs them."""
NEVER: Final = Sighting()


class Seen(BaseModel):
    """The last answer of something and its last trouble, as this process knows them."""

    state: State
    latency_ms: float | None
    last_answer_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


class DependencyView(Seen):
    """Something every process uses; without a required one requests are not answered."""

    name: DependencyName
    required: bool
    detail: str


class UpstreamView(Seen):
    """An API that tools call; an open circuit sends nothing to it for some seconds."""

    origin: str
    circuit: CircuitState
    running: int
    failures: int = Field(description="In a row.")
    retry_in_seconds: float | None


class ModelView(Seen):
    """A language model; the first is the chat's own, the others stand in for it."""

    name: str
    is_scripted: bool


class JobView(BaseModel):
    """A kind of background work; `dead` were given up."""

    kind: str
    overdue_seconds: float
    dead: int
    last_error: str | None


class HealthReport(BaseModel):
    """How everything is doing, seen from the process that answers."""

    status: Literal["ready", "not_ready"]
    draining: bool
    checked_at: datetime
    dependencies: list[DependencyView]
    upstreams: list[UpstreamView]
    models: list[ModelView]
    jobs: list[JobView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Where to look; `app.state.dependencies`."""

    settings: Settings
    database: Database
    bus: Bus
    audit: Audit
    metrics: Metrics
    discipline: Discipline
    readiness: Readiness

    async def report(self) -> HealthReport:
        """Ask what readiness asks, and put the rest beside it; waits some seconds at most."""
        ready = await self.readiness.report()
        checks = self.readiness.sightings.of("check")
        jobs = await self._jobs() if ready.checks.get("database") == "healthy" else None
        details = {
            "database": self._database_detail(),
            "audit": f"{self.audit.writer.pending} records wait to become durable",
        }
        found = [
            _dependency(
                name,  # type: ignore[arg-type] # the checks of duties, pydantic looks
                checks.get(name, NEVER),
                state=answer,
                required=self.readiness.is_required(name),
                detail=details.get(name, ""),
            )
            for name, answer in ready.checks.items()
        ]
        found.append(self._bus())
        found.append(_jobs_dependency(jobs))
        return HealthReport(
            status="ready" if ready.ready else "not_ready",
            draining=self.readiness.draining,
            checked_at=datetime.now(UTC),
            dependencies=[self._with_commits(one) for one in found],
            upstreams=self._upstreams(),
            models=self._models(),
            jobs=jobs or [],
        )

    def _database_detail(self) -> str:
        kind = "SQLite" if self.database.is_sqlite else "PostgreSQL"
        active, limit = self.database.connections_active(), self.database.connections_limit
        return f"{kind}, {active} of {limit} connections in use"

    def _with_commits(self, view: DependencyView) -> DependencyView:
        """The audit's latency is that of its last commit, not that of asking."""
        if view.name != "audit":
            return view
        written = self.metrics.sightings.of("audit").get("", NEVER)
        return view.model_copy(update=_times(written))

    def _bus(self) -> DependencyView:
        connected = self.bus.connected
        return DependencyView(
            name="bus",
            required=False,
            detail="in this process alone" if self.database.is_sqlite else "over PostgreSQL",
            state="healthy" if connected else "unhealthy",
            latency_ms=None,
            last_answer_at=None,
            last_error=None if connected else "not connected; other processes are not heard",
            last_error_at=None,
        )

    def _upstreams(self) -> list[UpstreamView]:
        seen = self.metrics.sightings.of("upstream")
        return [
            UpstreamView(
                origin=standing.origin,
                circuit=standing.state,
                running=standing.running,
                failures=standing.failures,
                retry_in_seconds=standing.retry_in_seconds,
                state="healthy" if standing.state == "closed" else "unhealthy",
                **_times(seen.get(urlsplit(standing.origin).hostname or "", NEVER)),
            )
            for standing in self.discipline.standing()
        ]

    def _models(self) -> list[ModelView]:
        models, seen = Models(self.settings), self.metrics.sightings.of("model")
        return [
            ModelView(
                name=str(choice),
                is_scripted=choice.is_scripted,
                state=_model_state(sighting),
                **_times(sighting),
            )
            for choice in (models.default, *models.fallbacks)
            for sighting in (seen.get(choice.name, NEVER),)
        ]

    async def _jobs(self) -> list[JobView] | None:
        try:
            async with self.database.reading() as session:
                standing = await unfinished(session)
                errors = await _last_errors(session)
        except SQLAlchemyError:
            return None
        return [
            JobView(
                kind=kind,
                overdue_seconds=job.overdue_seconds,
                dead=job.dead,
                last_error=errors.get(kind),
            )
            for kind, job in sorted(standing.items())
        ]


def _dependency(
    name: DependencyName, sighting: Sighting, *, state: State, required: bool, detail: str
) -> DependencyView:
    return DependencyView(
        name=name, state=state, required=required, detail=detail, **_times(sighting)
    )


def _jobs_dependency(jobs: list[JobView] | None) -> DependencyView:
    late = [job for job in jobs or () if job.overdue_seconds > OVERDUE_SECONDS]
    dead = sum(job.dead for job in jobs or ())
    error: str | None = None
    if jobs is None:
        error = "the table of jobs cannot be read"
    elif late:
        error = f"{late[0].kind} waits for its turn"
    return DependencyView(
        name="jobs",
        required=False,
        detail=f"{dead} jobs were given up" if dead else "",
        state="unhealthy" if error else "healthy",
        latency_ms=None,
        last_answer_at=None,
        last_error=error,
        last_error_at=None,
    )


def _model_state(sighting: Sighting) -> State:
    if sighting.answered_at is None and sighting.failed_at is None:
        return "unused"
    return "unhealthy" if sighting.is_failing else "healthy"


def _times(sighting: Sighting) -> Mapping[str, object]:
    return {
        "latency_ms": None if sighting.seconds is None else round(sighting.seconds * 1000, 3),
        "last_answer_at": _moment(sighting.answered_at),
        "last_error": None if sighting.error is None else mask_text(sighting.error),
        "last_error_at": _moment(sighting.failed_at),
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


async def _last_errors(session: AsyncSession) -> Mapping[str, str]:
    """The newest error of each kind of job that has one and is not done."""
    query = (
        select(Job.kind, Job.last_error)
        .where(Job.last_error.is_not(None), Job.state.in_(("pending", "running", "dead")))
        .order_by(Job.id)
    )
    found = await session.execute(query.limit(1_000))
    return {kind: mask_text(error) for kind, error in found if error is not None}
