"""What a serving process does beside answering, and how it says that it can."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from msil_mcp.analytics.summaries import SUMMARISE, SUMMARISE_SECONDS, summarise
from msil_mcp.audit.errors import AuditUnavailable
from msil_mcp.audit.retention import PRUNE, PRUNE_SECONDS, RETENTION
from msil_mcp.backlog import BacklogWatch
from msil_mcp.chat.retention import PURGE, PURGE_SECONDS, purging
from msil_mcp.governance.retention import ResultRetention, expire_approvals
from msil_mcp.identity.sessions import forget_ended_sessions
from msil_mcp.jobs import Handler, JobRunner
from msil_mcp.jobs import Job as Job
from msil_mcp.observability.readiness import CheckResult, Readiness, Unhealthy
from msil_mcp.services import Services
from msil_mcp.tools.drafting import READ_DRAFT, reading_drafts
from msil_mcp.tools.drafts import forget_drafts
from msil_mcp.webhooks.relay import DELIVER
from msil_mcp.webhooks.wiring import TIDY_SECONDS


@asynccontextmanager
async def on_duty(services: Services) -> AsyncIterator[None]:
    """What only a serving process does: leases, live events, notes of key usage, gauges, jobs."""
    async with AsyncExitStack() as stack:
        await _take_up(stack, services)
        yield


async def _take_up(stack: AsyncExitStack, services: Services) -> None:
    await services.live.start()
    stack.push_async_callback(services.live.close)
    await services.webhooks.relay.start()
    stack.push_async_callback(services.webhooks.relay.close)
    usage = asyncio.create_task(services.identity.usage.run(services.database), name="key-usage")
    stack.push_async_callback(_ended, usage)
    metrics, snapshots = services.metrics, services.snapshots
    metrics.set_gauge_source("database_connections_active", services.database.connections_active)
    metrics.set_gauge_source(
        "mcp_database_connections_limit", lambda: services.database.connections_limit
    )
    if services.shared_limits is not None:
        metrics.set_gauge_source(
            "redis_connections_active", services.shared_limits.connections_active
        )
    metrics.set_gauge_source("mcp_audit_queue_rows", lambda: services.audit.writer.pending)
    metrics.set_gauge_source("mcp_calls_in_progress", lambda: services.invoker.in_progress)
    metrics.set_gauge_source("mcp_snapshot_age_seconds", lambda: snapshots.age_seconds)
    metrics.set_gauge_source("mcp_snapshot_generation", lambda: snapshots.generation)
    metrics.set_gauge_source("mcp_tools_published", lambda: snapshots.published)
    metrics.expect_model(services.settings.openai_model)
    runner = recurring_jobs(services)
    await runner.start()
    stack.push_async_callback(runner.stop)
    metrics.expect_jobs(runner.kinds)
    backlog = BacklogWatch(services.database, metrics)
    looking = asyncio.create_task(backlog.run(), name="backlog")
    stack.push_async_callback(_ended, looking)


def recurring_jobs(services: Services) -> JobRunner:
    """What is done again and again, by one of the serving processes at a time."""
    database, settings = services.database, services.settings
    kept = timedelta(days=settings.chat_deleted_days)
    results = ResultRetention(database, seconds=settings.result_retention_seconds)

    async def anchor_audit(_: Mapping[str, Any]) -> None:
        await services.audit.anchor_heads()

    async def prune_audit(_: Mapping[str, Any]) -> None:
        await services.audit.prune(principal=RETENTION)

    async def forget_results(_: Mapping[str, Any]) -> None:
        await results.forget()

    async def summarise_calls(_: Mapping[str, Any]) -> None:
        await summarise(database, kept_days=settings.audit_retention_days)

    async def expire(_: Mapping[str, Any]) -> None:
        await expire_approvals(database, on_event=services.metrics.record_approval)

    async def forget_drafts_of(_: Mapping[str, Any]) -> None:
        async with database.unit_of_work() as session:
            await forget_drafts(session)

    async def forget_sessions(_: Mapping[str, Any]) -> None:
        async with database.unit_of_work() as session:
            await forget_ended_sessions(session)

    jobs: Mapping[str, tuple[float, Handler]] = {
        "audit.anchor": (60.0, anchor_audit),
        SUMMARISE: (SUMMARISE_SECONDS, summarise_calls),
        PURGE: (PURGE_SECONDS, purging(database, kept_for=kept)),
        PRUNE: (PRUNE_SECONDS, prune_audit),
        "approvals.expire": (60.0, expire),
        "documents.forget_drafts": (3600.0, forget_drafts_of),
        "calls.forget_results": (min(3600.0, settings.result_retention_seconds), forget_results),
        "sessions.forget_ended": (3600.0, forget_sessions),
        "webhook.tidy": (TIDY_SECONDS, services.webhooks.tidy),
    }
    runner = JobRunner(
        database,
        {kind: handler for kind, (_, handler) in jobs.items()}
        | {
            DELIVER: services.webhooks.deliver,
            READ_DRAFT: reading_drafts(database, services.egress),
        },
        owner=services.executions.owner,
        signals=services.bus,
        on_run=services.metrics.record_job,
    )
    for kind, (seconds, _) in jobs.items():
        runner.every(seconds, kind)
    return runner


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def make_readiness(services: Services) -> Readiness:
    """What this process depends on."""
    readiness = Readiness()

    async def database() -> CheckResult:
        if (reason := await services.database.trouble()) is not None:
            raise Unhealthy(reason)
        return "healthy"

    async def audit() -> CheckResult:
        # Whether a record may be tried: waiting for one to succeed would wait for the requests
        # that an unready process does not get.
        try:
            services.audit.ensure_writable()
        except AuditUnavailable as error:
            raise Unhealthy("records cannot be written") from error
        return "healthy"

    async def configuration() -> CheckResult:
        if not services.snapshots.is_fresh:
            raise Unhealthy(f"last checked {services.snapshots.age_seconds:.0f} seconds ago")
        return "healthy"

    async def redis() -> CheckResult:
        if services.shared_limits is None:
            return "disabled"
        if (reason := await services.shared_limits.trouble()) is not None:
            raise Unhealthy(reason)
        return "healthy"

    async def replica() -> CheckResult:
        if services.database.replica is None:
            return "disabled"
        return "healthy" if await services.database.replica.healthy() else "unhealthy"

    readiness.register("database", database)
    readiness.register("audit", audit)
    readiness.register("configuration", configuration)
    # Without Redis limits are local and stricter; refusing traffic would help nobody.
    readiness.register("redis", redis, required=False)
    # Without the replica its queries go to the primary.
    readiness.register("replica", replica, required=False)
    services.metrics.set_labelled_source("mcp_dependency_up", readiness.up)
    return readiness
