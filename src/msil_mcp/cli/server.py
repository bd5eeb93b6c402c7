"""Serving over HTTP, and the schema it needs."""

import uvicorn

from msil_mcp.cli.access import anybody_known
from msil_mcp.cli.output import fail, run
from msil_mcp.db.alone import hold_alone
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import HEAD, downgrade, schema_revision, upgrade
from msil_mcp.errors import MsilError
from msil_mcp.main import create_app, metadata
from msil_mcp.services import prepare_schema
from msil_mcp.settings import Settings, hand_down


def serve_http(settings: Settings, *, workers: int) -> None:
    """Serve until told to stop, from one process or several."""
    check_servable(settings, workers=workers)
    if workers == 1:
        run_server(settings)
        return
    # Workers are started anew by uvicorn and read the settings from the environment.
    hand_down(settings)
    uvicorn.run(
        "msil_mcp.main:app",
        host=settings.host,
        port=settings.port,
        workers=workers,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )


def check_servable(settings: Settings, *, workers: int) -> None:
    """Refuse what would be unsafe or could not work, saying what to do."""
    if workers > 1 and settings.is_sqlite:
        fail(
            "SQLite serves from one process. Use --workers 1, or set DATABASE_URL to PostgreSQL.",
            code=2,
        )
    if run(_nobody_could_enter(settings)):
        fail(
            f"Refusing to listen on {settings.host}: nobody could be told apart yet. Configure an "
            "identity provider (MSIL_OIDC_ISSUER), or make a user or a key first "
            "(msil-mcp users create, msil-mcp keys create), or listen on 127.0.0.1.",
            code=2,
        )


async def _nobody_could_enter(settings: Settings) -> bool:
    """Whether the address is open and no caller known; raises when the database is not ready.

    A server would find that out by itself, but then what to do about it is the last line of a
    traceback, and uvicorn starts a worker that failed again and again.
    """
    database = Database(database_url(settings))
    try:
        await prepare_schema(settings, database)
        if settings.is_sqlite:
            hold_alone(database).close()
        if settings.is_loopback or settings.oidc_issuer:
            return False
        async with database.reading() as session:
            return not await anybody_known(session)
    finally:
        await database.close()


def run_server(settings: Settings) -> None:
    """Serve in this process until it is told to stop."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    uvicorn.Server(config).run()


def migrate_database(settings: Settings, *, down: str | None) -> str:
    """Migrate up, or down to a revision; returns what to say of it."""
    from alembic.util import CommandError

    try:
        database = Database(database_url(settings))
    except MsilError as error:
        fail(str(error))
    before = run(_revision(database))
    if down is None and before == HEAD:
        return f"The database is at {HEAD} already."
    try:
        if down is not None:
            downgrade(database, metadata, revision=down)
            return f"The database is at {down}."
        upgrade(database, metadata)
    except CommandError as error:
        fail(f"{error}. The database is at {before or 'nothing'}; this release's schema is {HEAD}.")
    return f"The database went from {before or 'nothing'} to {HEAD}."


async def _revision(database: Database) -> str | None:
    try:
        return await schema_revision(database)
    finally:
        await database.close()
