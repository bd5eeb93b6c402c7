"""GET /health, /ready and /metrics: for load balancers, Kubernetes, ECS and Prometheus."""

import hmac
import time
from importlib.metadata import version
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from msil_mcp.errors import Unauthenticated
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.readiness import CheckResult, Readiness
from msil_mcp.principal import public
from msil_mcp.settings import Settings

SERVICE: Final = "MSIL MCP Server"
VERSION: Final = version("msil-mcp")

router = APIRouter(tags=["operations"])


class SystemHealth(BaseModel):
    """Load of the machine, read within the last seconds."""

    cpu_percent: float
    memory_percent: float
    memory_available_mb: int
    disk_percent: float
    disk_free_gb: float


class Health(BaseModel):
    """The process is alive and its event loop turns; says nothing of what it depends on."""

    status: Literal["healthy"] = "healthy"
    service: str = SERVICE
    version: str = VERSION
    uptime_seconds: float
    system: SystemHealth


class Ready(BaseModel):
    """Whether to send requests here, and what each dependency answered."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckResult]


class MetricsTokenRequired(Unauthenticated):
    """The scraper did not show the token this deployment set for /metrics."""

    slug = "metrics_token_required"


@router.get("/health", dependencies=[public])
async def health(request: Request) -> Health:
    """Liveness, at once and from memory."""
    metrics: Metrics = request.app.state.metrics
    load = metrics.system.load()
    return Health(
        uptime_seconds=round(time.monotonic() - metrics.started_at, 2),
        system=SystemHealth(
            cpu_percent=load.cpu_percent,
            memory_percent=load.memory_percent,
            memory_available_mb=load.memory_available_mb,
            disk_percent=load.disk_percent,
            disk_free_gb=load.disk_free_gb,
        ),
    )


@router.get("/ready", dependencies=[public], responses={503: {"model": Ready}})
async def ready(request: Request, response: Response) -> Ready:
    """Readiness: 503 while a dependency is unhealthy or the process drains."""
    readiness: Readiness = request.app.state.readiness
    report = await readiness.report()
    response.headers["Cache-Control"] = "no-store"
    response.status_code = 200 if report.ready else 503
    return Ready(status="ready" if report.ready else "not_ready", checks=dict(report.checks))


@router.get("/metrics", dependencies=[public], response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus exposition, in OpenMetrics for scrapers that accept it."""
    settings: Settings = request.app.state.settings
    collected: Metrics = request.app.state.metrics
    expected = settings.metrics_token
    if expected is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.encode(), expected.get_secret_value().encode())
        if scheme.lower() != "bearer" or not same:
            raise MetricsTokenRequired
    readiness: Readiness = request.app.state.readiness
    await readiness.report()
    body, content_type = await run_in_threadpool(
        collected.render, request.headers.get("accept", "")
    )
    return Response(body, media_type=content_type)
