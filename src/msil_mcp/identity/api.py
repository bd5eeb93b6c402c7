"""The REST routes of identity, and what they expect of the application.

`app.state`: `authenticator` and `identity` (from `build_identity`), `database`, `admin_audit`
(AdminAudit) and `announce` (Announce).
"""

from fastapi import APIRouter

from msil_mcp.identity import auth_api, keys_api, oidc_api, roles_api, users_api
from msil_mcp.identity.administering import AdminAudit, Announce

__all__ = ["AdminAudit", "Announce", "router"]

router = APIRouter()
for part in (auth_api, oidc_api, users_api, keys_api, roles_api):
    router.include_router(part.router)
