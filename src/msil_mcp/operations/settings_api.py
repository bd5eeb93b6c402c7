"""GET /api/settings: what is in force in the process that answers, and where it comes from."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request

from msil_mcp import __version__
from msil_mcp.operations.effective import SettingView, effective_settings
from msil_mcp.principal import Principal, require
from msil_mcp.settings import Settings

router = APIRouter(prefix="/api/settings", tags=["settings"])
Reader = Annotated[Principal, Depends(require("settings:read"))]


class SettingsView(BaseModel):
    """Every setting; they are changed in the environment or in `.env`, and read at start."""

    version: str
    settings: list[SettingView]


@router.get("")
async def read_settings(_: Reader, request: Request) -> SettingsView:
    """Every setting with its value, its source and what it is for; secrets are never shown."""
    settings: Settings = request.app.state.settings
    return SettingsView(version=__version__, settings=effective_settings(settings))
