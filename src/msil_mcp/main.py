"""The composition root: everything is built once, in lifespan, and handed around.

`uvicorn msil_mcp.main:app` serves it; the command line uses the same composition.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI
from sqlalchemy import MetaData
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp import __version__
from msil_mcp.audit.api import router as audit_router
from msil_mcp.audit.errors import AuditUnavailable
from msil_mcp.audit.trail import Audit
from msil_mcp.bus import Bus, MemoryBus, PostgresBus
from msil_mcp.chat.api import router as chat_router
from msil_mcp.db.alone import hold_alone
from msil_mcp.db.database import Base, Database, database_url, on_database_error
from msil_mcp.db.migrate import HEAD, check_schema, schema_revision, upgrade
from msil_mcp.egress import Egress
from msil_mcp.errors import install_problem_handlers
from msil_mcp.governance.api import router as approvals_router
from msil_mcp.governance.approvals import Approvals, shown
from msil_mcp.governance.chain import Parts, compose
from msil_mcp.governance.executions import Executions
from msil_mcp.governance.limits import Limiter, LocalLimiter, RedisLimiter
from msil_mcp.governance.record import Record
from msil_mcp.governance.retention import ResultRetention, expire_approvals
from msil_mcp.identity.api import router as identity_router
from msil_mcp.identity.roles import ensure_roles
from msil_mcp.identity.sessions import forget_ended_sessions
from msil_mcp.identity.wiring import Identity, build_identity, provider_documents
from msil_mcp.jobs import Handler, JobRunner
from msil_mcp.jobs import Job as Job
from msil_mcp.mcp.app import McpApp, McpEndpoint, McpMiddleware
from msil_mcp.mcp.build import running_mcp
from msil_mcp.mcp.governed import GovernedProvider
from msil_mcp.mcp.providers import Provider
from msil_mcp.mcp.revocations import StoredRevocations
from msil_mcp.observability.body_limit import BodyLimit
from msil_mcp.observability.health import router as health_router
from msil_mcp.observability.logging import configure_logging
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.monitoring import MonitoringMiddleware
from msil_mcp.observability.readiness import CheckResult, Readiness
from msil_mcp.observability.system import SystemMonitor
from msil_mcp.observability.tracing import NO_TRACER, Tracer, build_tracer
from msil_mcp.principal import Principal
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings, environment
from msil_mcp.tools.api import router as tools_router
from msil_mcp.tools.snapshot import SnapshotStore
from msil_mcp.upstream.credentials import EnvironmentCredentials, credential_references
from msil_mcp.upstream.discipline import Discipline
from msil_mcp.upstream.invoker import UpstreamInvoker

log = structlog.get_logger()
metadata: MetaData = Base.metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The running parts, for the web application and for commands."""

    settings: Settings
    keyring: Keyring
    database: Database
    bus: Bus
    metrics: Metrics
    tracer: Tracer
    egress: Egress
    audit: Audit
    identity: Identity
    snapshots: SnapshotStore
    executions: Executions
    approvals: Approvals
    limiter: Limiter
    invoker: Record


async def prepare_schema(settings: Settings, database: Database) -> None:
    """On SQLite, migrate; on PostgreSQL, where it is a deliberate step, only check."""
    if settings.is_sqlite and await schema_revision(database) != HEAD:
        await asyncio.to_thread(upgrade, database, metadata)
    await check_schema(database)


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    serving: bool,
    metrics: Metrics | None = None,
    tracer: Tracer = NO_TRACER,
) -> AsyncIterator[Services]:
    """Build, start and in the end close every part; `serving` for a process that takes requests."""
    async with AsyncExitStack() as stack:
        metrics = metrics or make_metrics(settings)
        database = Database(database_url(settings), on_query=metrics.record_query)
        stack.push_async_callback(database.close)
        await prepare_schema(settings, database)
        if serving and settings.is_sqlite:
            stack.callback(hold_alone(database).close)
        keyring = Keyring.from_settings(settings)
        bus = MemoryBus() if settings.is_sqlite else PostgresBus(database)
        await bus.start()
        stack.push_async_callback(bus.close)
        egress = Egress(settings)
        await egress.start()
        stack.push_async_callback(egress.close)
        audit = Audit(
            database=database,
            keyring=keyring,
            settings=settings,
            on_batch=metrics.record_audit_commit,
        )
        await audit.start()
        stack.push_async_callback(audit.close)
        services = await _compose(
            stack, settings, keyring, database, bus, metrics, tracer, egress, audit
        )
        if serving:
            await _serve_duties(stack, services)
        yield services


async def _compose(
    stack: AsyncExitStack,
    settings: Settings,
    keyring: Keyring,
    database: Database,
    bus: Bus,
    metrics: Metrics,
    tracer: Tracer,
    egress: Egress,
    audit: Audit,
) -> Services:
    identity = build_identity(settings, keyring, fetch=provider_documents(egress))
    async with database.unit_of_work() as session:
        await ensure_roles(session)
    snapshots = SnapshotStore(database=database, bus=bus)
    snapshots.on_change(lambda snapshot: identity.authenticator.use(snapshot.identity))
    snapshots.on_change(lambda snapshot: metrics.expect_tools(snapshot.tools))
    await snapshots.start()
    stack.push_async_callback(snapshots.close)
    executions = Executions(database=database, owner=secrets.token_hex(12))
    approvals = Approvals(database=database, settings=settings, on_event=metrics.record_approval)
    limiter: Limiter = LocalLimiter()
    if settings.redis_url:
        limiter = shared = RedisLimiter(settings.redis_url)
        stack.push_async_callback(shared.close)
    parts = Parts(
        settings=settings,
        snapshots=snapshots,
        limiter=limiter,
        executions=executions,
        approvals=approvals,
        audit=audit,
        metrics=metrics,
        tracer=tracer,
    )
    upstream = UpstreamInvoker(
        egress=egress,
        settings=settings,
        credentials=EnvironmentCredentials(
            credential_references(settings.upstream_credentials),
            environment=environment(),
        ),
        discipline=Discipline(),
        tracer=tracer,
        on_request=metrics.record_upstream,
    )
    invoker = compose(parts, upstream=upstream)
    stack.push_async_callback(invoker.drain)
    return Services(
        settings=settings,
        keyring=keyring,
        database=database,
        bus=bus,
        metrics=metrics,
        tracer=tracer,
        egress=egress,
        audit=audit,
        identity=identity,
        snapshots=snapshots,
        executions=executions,
        approvals=approvals,
        limiter=limiter,
        invoker=invoker,
    )


async def _serve_duties(stack: AsyncExitStack, services: Services) -> None:
    """What only a serving process does: leases, notes of key usage, gauges."""
    await services.executions.start(alone=services.settings.is_sqlite)
    stack.push_async_callback(services.executions.close)
    usage = asyncio.create_task(services.identity.usage.run(services.database), name="key-usage")
    stack.push_async_callback(_ended, usage)
    metrics, snapshots = services.metrics, services.snapshots
    metrics.set_gauge_source("database_connections_active", services.database.connections_active)
    if isinstance(services.limiter, RedisLimiter):
        metrics.set_gauge_source("redis_connections_active", services.limiter.connections_active)
    metrics.set_gauge_source("mcp_audit_queue_rows", lambda: services.audit.writer.pending)
    metrics.set_gauge_source("mcp_calls_in_progress", lambda: services.invoker.in_progress)
    metrics.set_gauge_source("mcp_snapshot_age_seconds", lambda: snapshots.age_seconds)
    metrics.set_gauge_source("mcp_snapshot_generation", lambda: snapshots.generation)
    metrics.set_gauge_source("mcp_tools_published", lambda: snapshots.published)
    metrics.expect_model(services.settings.openai_model)
    runner = recurring_jobs(services)
    await runner.start()
    stack.push_async_callback(runner.stop)


def recurring_jobs(services: Services) -> JobRunner:
    """What is done again and again, by one of the serving processes at a time."""
    database, settings = services.database, services.settings
    results = ResultRetention(database, seconds=settings.result_retention_seconds)

    async def anchor_audit(_: Mapping[str, Any]) -> None:
        await services.audit.anchor_heads()

    async def forget_results(_: Mapping[str, Any]) -> None:
        await results.forget()

    async def expire(_: Mapping[str, Any]) -> None:
        await expire_approvals(database, on_event=services.metrics.record_approval)

    async def forget_sessions(_: Mapping[str, Any]) -> None:
        async with database.unit_of_work() as session:
            await forget_ended_sessions(session)

    jobs: Mapping[str, tuple[float, Handler]] = {
        "audit.anchor": (60.0, anchor_audit),
        "approvals.expire": (60.0, expire),
        "calls.forget_results": (min(3600.0, settings.result_retention_seconds), forget_results),
        "sessions.forget_ended": (3600.0, forget_sessions),
    }
    runner = JobRunner(
        database,
        {kind: handler for kind, (_, handler) in jobs.items()},
        owner=services.executions.owner,
        signals=services.bus,
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
        return "healthy" if await services.database.healthy() else "unhealthy"

    async def audit() -> CheckResult:
        # Whether a record may be tried: waiting for one to succeed would wait for the requests
        # that an unready process does not get.
        try:
            services.audit.ensure_writable()
        except AuditUnavailable:
            return "unhealthy"
        return "healthy"

    async def configuration() -> CheckResult:
        return "healthy" if services.snapshots.is_fresh else "unhealthy"

    async def redis() -> CheckResult:
        if not isinstance(services.limiter, RedisLimiter):
            return "disabled"
        return "healthy" if await services.limiter.healthy() else "unhealthy"

    readiness.register("database", database)
    readiness.register("audit", audit)
    readiness.register("configuration", configuration)
    # Without Redis limits are local and stricter; refusing traffic would help nobody.
    readiness.register("redis", redis, required=False)
    return readiness


@asynccontextmanager
async def mcp_running(
    services: Services, *, providers: Sequence[Provider] = ()
) -> AsyncIterator[McpApp]:
    """The MCP endpoint over the governed invoker."""

    async def decide(
        approval_id: str, *, principal: Principal, accepted: bool, reason: str
    ) -> None:
        approval = await services.approvals.decide(
            approval_id,
            principal=principal,
            accepted=accepted,
            via="elicitation",
            reason=reason or None,
        )
        await services.audit.record_admin(
            principal=principal,
            action=f"approval.{approval.state}",
            target=approval.id,
            details=shown(approval),
            correlation_id=approval.correlation_id,
        )

    governed = GovernedProvider(
        snapshots=services.snapshots,
        invoker=services.invoker,
        decide=decide,
        database=services.database,
    )
    revocations = StoredRevocations(database=services.database, bus=services.bus)
    await revocations.start()
    try:
        async with running_mcp(
            providers=[*providers, governed],
            authenticator=services.identity.authenticator,
            bus=services.bus,
            keyring=services.keyring,
            settings=services.settings,
            revocations=revocations,
        ) as running_endpoint:
            services.snapshots.on_change(lambda _: running_endpoint.changes.announce())
            yield running_endpoint.app
    finally:
        await revocations.close()


def make_metrics(settings: Settings) -> Metrics:
    """The process's metrics, with the load of the disk its data is on."""
    return Metrics(system=SystemMonitor(disk=settings.data_dir))


def create_app(settings: Settings | None = None, *, providers: Sequence[Provider] = ()) -> FastAPI:
    """The web application; `providers` are catalogues beside the governed one."""
    settings = settings or Settings()
    metrics, tracer = make_metrics(settings), build_tracer(settings)
    endpoint = McpEndpoint()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log_stream = configure_logging(settings)
        async with running(settings, serving=True, metrics=metrics, tracer=tracer) as services:
            attach(app, services)
            async with mcp_running(services, providers=providers) as running_endpoint:
                endpoint.use(running_endpoint)
                yield
                app.state.readiness.draining = True
                endpoint.use(None)
        tracer.close()
        log_stream.close()

    app = FastAPI(
        title="MSIL MCP Server",
        version=__version__,
        summary="OpenAPI documents become governed MCP tools.",
        lifespan=lifespan,
    )
    install_problem_handlers(app)
    app.add_exception_handler(SQLAlchemyError, on_database_error)
    for router in (
        health_router,
        identity_router,
        tools_router,
        approvals_router,
        audit_router,
        chat_router,
    ):
        app.include_router(router)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    # The last one added is the outermost: MCP requests skip what only REST needs.
    app.add_middleware(McpMiddleware, endpoint=endpoint)
    app.add_middleware(MonitoringMiddleware, metrics=metrics, tracer=tracer)
    return app


def attach(app: FastAPI, services: Services) -> None:
    """What the routes find on `app.state`."""
    state = app.state
    state.settings = services.settings
    state.database = services.database
    state.metrics = services.metrics
    state.identity = services.identity
    state.authenticator = services.identity.authenticator
    state.snapshots = services.snapshots
    state.approvals = services.approvals
    state.invoker = services.invoker
    state.audit = services.audit
    state.admin_audit = services.audit.record_admin
    state.announce = services.snapshots.announce
    state.readiness = make_readiness(services)


def __getattr__(name: str) -> FastAPI:
    """`uvicorn msil_mcp.main:app` builds the application; importing this module does not."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
