"""The composition root: everything is built once, in lifespan, and handed around.

`uvicorn msil_mcp.main:app` serves it; the command line uses the same composition.
"""

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import MetaData
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from msil_mcp import __version__
from msil_mcp.analytics.api import router as analytics_router
from msil_mcp.audit.api import router as audit_router
from msil_mcp.audit.events_api import router as events_router
from msil_mcp.chat.api import router as chat_router
from msil_mcp.chat.assistant_api import router as assistant_router
from msil_mcp.chat.conversations_api import router as conversations_router
from msil_mcp.chat.facade import router as facade_router
from msil_mcp.chat.finetuning_api import router as finetuning_router
from msil_mcp.chat.runtime import running_chat
from msil_mcp.chat.suggestions_api import router as suggestions_router
from msil_mcp.chat.turns_api import router as turns_router
from msil_mcp.chat.usage_api import router as usage_router
from msil_mcp.db.database import Base, install_database_handlers
from msil_mcp.duties import make_readiness, on_duty
from msil_mcp.governance.api import router as approvals_router
from msil_mcp.governance.approvals import shown
from msil_mcp.governance.inbox import waiting_for
from msil_mcp.identity.api import router as identity_router
from msil_mcp.jobs import Job as Job
from msil_mcp.locales import ENGLISH
from msil_mcp.mcp.app import McpApp, McpEndpoint, is_for_mcp
from msil_mcp.mcp.build import running_mcp
from msil_mcp.mcp.connect_api import router as connect_router
from msil_mcp.mcp.governed import GovernedProvider
from msil_mcp.mcp.providers import Provider
from msil_mcp.mcp.revocations import StoredRevocations
from msil_mcp.mcp.stopping import left_alone_first, told_to_stop
from msil_mcp.observability.body_limit import BodyLimit
from msil_mcp.observability.health import router as health_router
from msil_mcp.observability.logging import configure_logging
from msil_mcp.observability.monitoring import MonitoringMiddleware
from msil_mcp.observability.tracing import build_tracer
from msil_mcp.openapi.document import MAX_BYTES
from msil_mcp.operations.dependencies import Dependencies
from msil_mcp.operations.health_api import router as dependencies_router
from msil_mcp.operations.settings_api import router as settings_router
from msil_mcp.pages.api import pages_router
from msil_mcp.pages.headers import GuardedAnswers
from msil_mcp.principal import Principal
from msil_mcp.problems import Problem, install_problem_handlers
from msil_mcp.services import Services, make_metrics, running
from msil_mcp.settings import Settings
from msil_mcp.tools.api import router as tools_router
from msil_mcp.webhooks.api import router as webhooks_router

log = structlog.get_logger()
metadata: MetaData = Base.metadata


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
            on_operation=services.metrics.record_operation,
        ) as running_endpoint:
            services.snapshots.on_change(lambda _: running_endpoint.changes.announce())
            services.metrics.set_gauge_source(
                "mcp_streams_open", lambda: running_endpoint.changes.open_streams
            )
            yield running_endpoint.app
    finally:
        await revocations.close()


def settle_collector() -> None:
    """Spare calls the garbage collector: what is there now stays, and calls make few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Application(FastAPI):
    """FastAPI with a door before it: MCP requests need nothing of the framework."""

    def __init__(self, *, door: ASGIApp, **options: Any) -> None:
        super().__init__(**options)
        self.door = door

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_for_mcp(scope):
            await self.door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def operation_id(route: APIRoute) -> str:
    """Stable, readable names for whoever generates a client from our document."""
    return "_".join([*map(str, route.tags[:1]), route.name])


def create_app(
    settings: Settings | None = None, *, providers: Sequence[Provider] = ()
) -> Application:
    """The web application; `providers` are catalogues beside the governed one."""
    settings = settings or Settings()
    metrics, tracer = make_metrics(settings), build_tracer(settings)
    endpoint = McpEndpoint()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log_stream = configure_logging(settings)
        async with (
            running(settings, serving=True, metrics=metrics, tracer=tracer) as services,
            on_duty(services),
            running_chat(
                settings=settings,
                database=services.database,
                bus=services.bus,
                invoker=services.invoker,
                snapshots=services.snapshots,
                approvals=services.approvals,
                metrics=metrics,
                record=services.audit.write,
                owner=services.executions.owner,
            ) as chat,
        ):
            attach(app, services)
            app.state.chat = chat
            with told_to_stop(chat.stop_streams):
                async with mcp_running(services, providers=providers) as running_endpoint:
                    endpoint.use(running_endpoint)
                    # What lives as long as the process need not be looked at by every collection.
                    gc.collect()
                    gc.freeze()
                    readiness = app.state.readiness
                    with left_alone_first(readiness.leave, seconds=settings.seconds_to_leave):
                        yield
                    readiness.leave()
                    endpoint.use(None)
        tracer.close()
        log_stream.close()

    app = Application(
        door=MonitoringMiddleware(endpoint, metrics=metrics, tracer=tracer, language=ENGLISH),
        title="MSIL MCP Server",
        version=__version__,
        summary="OpenAPI documents become governed MCP tools.",
        lifespan=lifespan,
        # FastAPI's own pages load their scripts from elsewhere; ours are in `pages`.
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": Problem, "description": "What was wrong, and what to do."}},
        generate_unique_id_function=operation_id,
    )
    install_problem_handlers(app)
    install_database_handlers(app)
    for router in (
        health_router,
        identity_router,
        tools_router,
        approvals_router,
        audit_router,
        analytics_router,
        settings_router,
        dependencies_router,
        connect_router,
        suggestions_router,
        conversations_router,
        events_router,
        webhooks_router,
        assistant_router,
        chat_router,
        turns_router,
        facade_router,
        usage_router,
        finetuning_router,
    ):
        app.include_router(router)
    app.include_router(pages_router())
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        larger=dict.fromkeys(("/api/specs", "/api/imports"), MAX_BYTES),
    )
    app.add_middleware(GuardedAnswers, settings=settings)
    app.add_middleware(MonitoringMiddleware, metrics=metrics, tracer=tracer)
    return app


def attach(app: FastAPI, services: Services) -> None:
    """What the routes find on `app.state`."""
    state = app.state
    state.settings = services.settings
    state.database = services.database
    state.bus = services.bus
    state.metrics = services.metrics
    state.identity = services.identity
    state.authenticator = services.identity.authenticator
    state.snapshots = services.snapshots
    state.approvals = services.approvals
    state.count_waiting = waiting_for(services.database)
    state.invoker = services.invoker
    state.audit = services.audit
    state.live_feed = services.live
    state.webhooks = services.webhooks
    state.admin_audit = services.audit.record_admin
    state.announce = services.snapshots.announce
    state.readiness = make_readiness(services)
    state.dependencies = Dependencies(
        settings=services.settings,
        database=services.database,
        bus=services.bus,
        audit=services.audit,
        metrics=services.metrics,
        discipline=services.discipline,
        readiness=state.readiness,
    )


def __getattr__(name: str) -> Application:
    """`uvicorn msil_mcp.main:app` builds the application; importing this module does not."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
