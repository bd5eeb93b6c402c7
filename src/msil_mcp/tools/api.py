"""The REST routes of the catalogue, and the REST door of the invoker."""

from fastapi import APIRouter

from msil_mcp.tools import bundles_api, call_api, drafts_api, specs_api, tools_api

router = APIRouter()
for part in (tools_api, call_api, bundles_api, drafts_api, specs_api):
    router.include_router(part.router)
