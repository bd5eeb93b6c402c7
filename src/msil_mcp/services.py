"""The running parts, built once and handed around: for the web application and for commands."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msil_mcp.audit.feed import LiveFeed
from msil_mcp.audit.trail import Audit
from msil_mcp.bus import Bus, MemoryBus
from msil_mcp.db.alone import hold_alone
from msil_mcp.db.database import Base, Database, database_url, read_url
from msil_mcp.db.migrate import HEAD, check_schema, schema_revision, upgrade
from msil_mcp.egress import Egress
from msil_mcp.governance.approvals import Approvals
from msil_mcp.governance.chain import Parts, compose
from msil_mcp.governance.executions import Executions
from msil_mcp.governance.limits import LocalLimiter
from msil_mcp.governance.record import Record
from msil_mcp.identity.roles import ensure_roles
from msil_mcp.identity.wiring import Identity, build_identity
from msil_mcp.jobs import Job as Job
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.system import SystemMonitor
from msil_mcp.observability.tracing import NO_TRACER, Tracer
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings, environment
from msil_mcp.tools.snapshot import SnapshotStore
from msil_mcp.upstream.credentials import EnvironmentCredentials, credential_references
from msil_mcp.upstream.discipline import Discipline
from msil_mcp.upstream.invoker import UpstreamInvoker
from msil_mcp.webhooks.wiring import Webhooks, build_webhooks

if TYPE_CHECKING:
    from msil_mcp.governance.shared_limits import RedisLimiter


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
    live: LiveFeed
    webhooks: Webhooks
    identity: Identity
    snapshots: SnapshotStore
    executions: Executions
    approvals: Approvals
    shared_limits: "RedisLimiter | None"
    discipline: Discipline
    invoker: Record


async def prepare_schema(settings: Settings, database: Database) -> None:
    """On SQLite, migrate; on PostgreSQL, where it is a deliberate step, only check."""
    if settings.is_sqlite and await schema_revision(database) != HEAD:
        await asyncio.to_thread(upgrade, database, Base.metadata)
    await check_schema(database)


def make_shared_limits(settings: Settings) -> "RedisLimiter | None":
    """Rates shared with other replicas, where Redis is configured."""
    if not settings.redis_url:
        return None
    from msil_mcp.governance.shared_limits import RedisLimiter

    return RedisLimiter(settings.redis_url)


def make_bus(settings: Settings, database: Database) -> Bus:
    """Memory in a process that serves alone, PostgreSQL between replicas."""
    if settings.is_sqlite:
        return MemoryBus()
    # The embedded default does without the driver, and without its memory.
    from msil_mcp.bus import PostgresBus

    return PostgresBus(database)


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
        database = Database(
            database_url(settings),
            replica_url=read_url(settings),
            pool_size=settings.database_pool_size,
            on_query=metrics.record_query,
        )
        stack.push_async_callback(database.close)
        if serving and settings.is_sqlite:
            stack.callback(hold_alone(database).close)
        await prepare_schema(settings, database)
        keyring = Keyring.from_settings(settings)
        bus = make_bus(settings, database)
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
            on_failure=metrics.record_audit_failure,
            on_alteration=metrics.record_audit_alteration,
        )
        await audit.start()
        stack.push_async_callback(audit.close)
        services = await _compose(
            stack, settings, keyring, database, bus, metrics, tracer, egress, audit, serving=serving
        )
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
    *,
    serving: bool,
) -> Services:
    identity = build_identity(settings, keyring, egress=egress)
    async with database.unit_of_work() as session:
        await ensure_roles(session)
    snapshots = SnapshotStore(database=database, bus=bus)
    snapshots.on_change(lambda snapshot: identity.authenticator.use(snapshot.identity))
    snapshots.on_change(lambda snapshot: metrics.expect_tools(snapshot.tools))
    await snapshots.start()
    stack.push_async_callback(snapshots.close)
    executions = Executions(database=database, owner=secrets.token_hex(12))
    await executions.start(alone=serving and settings.is_sqlite)
    # Pushed before the drain, so ended after it: a call that is still finishing keeps its lease.
    stack.push_async_callback(executions.close)
    approvals = Approvals(database=database, settings=settings, on_event=metrics.record_approval)
    shared = make_shared_limits(settings)
    if shared is not None:
        stack.push_async_callback(shared.close)
    parts = Parts(
        settings=settings,
        snapshots=snapshots,
        limiter=shared or LocalLimiter(),
        executions=executions,
        approvals=approvals,
        audit=audit,
        metrics=metrics,
        tracer=tracer,
    )
    discipline = Discipline()
    metrics.set_labelled_source("mcp_upstream_circuit_open", discipline.open_circuits)
    upstream = UpstreamInvoker(
        egress=egress,
        settings=settings,
        credentials=EnvironmentCredentials(
            credential_references(settings.upstream_credentials),
            environment=environment(),
        ),
        discipline=discipline,
        tracer=tracer,
        on_request=metrics.record_upstream,
    )
    invoker = compose(parts, upstream=upstream)
    audit.writer.expected = lambda: invoker.in_progress
    live = LiveFeed(bus)
    audit.on_record(live.note)
    webhooks = build_webhooks(
        database=database,
        bus=bus,
        egress=egress,
        keyring=keyring,
        on_attempt=metrics.record_delivery,
    )
    audit.on_record(webhooks.relay.note)
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
        live=live,
        webhooks=webhooks,
        identity=identity,
        snapshots=snapshots,
        executions=executions,
        approvals=approvals,
        shared_limits=shared,
        discipline=discipline,
        invoker=invoker,
    )


def make_metrics(settings: Settings) -> Metrics:
    """The process's metrics, with the load of the disk its data is on."""
    return Metrics(system=SystemMonitor(disk=settings.data_dir))
