"""A database beside the server's, for commands: checked for its schema, audited like REST."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msil_mcp.audit.trail import Audit
from msil_mcp.db.database import Database, database_url, read_url
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.principal import Principal
from msil_mcp.sealing import Keyring
from msil_mcp.services import prepare_schema
from msil_mcp.settings import Settings


class Desk:
    """What a command works with; a server beside it sees committed changes within a second."""

    def __init__(self, *, settings: Settings, database: Database, audit: Audit) -> None:
        self.settings = settings
        self.database = database
        self.audit = audit
        self.principal: Principal = cli_principal()

    async def record(self, action: str, *, target: str, details: Mapping[str, Any]) -> None:
        """Leave an audit record of what the command did."""
        await self.audit.record_admin(
            principal=self.principal,
            action=action,
            target=target,
            details=details,
            correlation_id=None,
        )


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open the configured database for one command."""
    database = Database(database_url(settings), replica_url=read_url(settings))
    try:
        await prepare_schema(settings, database)
        keyring = Keyring.from_settings(settings)
        audit = Audit(database=database, keyring=keyring, settings=settings)
        await audit.start()
        try:
            yield Desk(settings=settings, database=database, audit=audit)
        finally:
            await audit.close()
    finally:
        await database.close()
