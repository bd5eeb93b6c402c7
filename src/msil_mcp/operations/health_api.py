"""GET /api/health: how everything is doing that this process depends on, for those who run it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request

from msil_mcp.operations.dependencies import Dependencies, HealthReport
from msil_mcp.principal import Principal, require

router = APIRouter(prefix="/api/health", tags=["health"])
Reader = Annotated[Principal, Depends(require("analytics:read"))]


@router.get("")
async def read_health(_: Reader, request: Request) -> HealthReport:
    """Dependencies, upstreams, models and jobs, each with its last trouble; asks within seconds."""
    dependencies: Dependencies = request.app.state.dependencies
    return await dependencies.report()
