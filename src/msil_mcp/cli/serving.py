"""Commands that run things: demo, serve, migrate, booking-api."""

import os
import socket
import threading
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from msil_mcp.cli import demo as demonstration
from msil_mcp.cli.output import fail, load_settings, run
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import HEAD, downgrade, schema_revision, upgrade
from msil_mcp.errors import MsilError
from msil_mcp.main import create_app, metadata
from msil_mcp.sealing import make_secret
from msil_mcp.settings import LOOPBACK, Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on; else HOST.")]
Port = Annotated[int | None, typer.Option(help="TCP port; else PORT.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("demo")(demo)
    app.command("serve")(serve)
    app.command("migrate")(migrate)
    app.command("booking-api")(booking_api)
    app.command("secret")(secret)


def serve(
    host: Host = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(help="Serving processes; needs PostgreSQL.")] = 1,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Bridge stdin and stdout to a running server.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="With --stdio: the MCP URL; else MSIL_MCP_URL.")
    ] = None,
) -> None:
    """Run the server."""
    if stdio:
        from msil_mcp.cli.stdio import bridge

        run(bridge(url=url))
        return
    settings = load_settings(host=host, port=port)
    check_servable(settings, workers=workers)
    if workers == 1:
        run_server(settings)
        return
    # Workers are started anew by uvicorn and read the settings from the environment.
    os.environ |= {"HOST": settings.host, "PORT": str(settings.port)}
    uvicorn.run(
        "msil_mcp.main:app",
        host=settings.host,
        port=settings.port,
        workers=workers,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )


def check_servable(settings: Settings, *, workers: int) -> None:
    """Refuse what would be unsafe or could not work, saying what to do."""
    if workers > 1 and settings.is_sqlite:
        fail(
            "SQLite serves from one process. Use --workers 1, or set DATABASE_URL to PostgreSQL.",
            code=2,
        )
    if settings.host not in LOOPBACK and run(_nobody_known(settings)):
        fail(
            f"Refusing to listen on {settings.host}: nobody could be told apart yet. Configure an "
            "identity provider (MSIL_OIDC_ISSUER), or make a user or a key first "
            "(msil-mcp users create, msil-mcp keys create), or listen on 127.0.0.1.",
            code=2,
        )


async def _nobody_known(settings: Settings) -> bool:
    if settings.oidc_issuer:
        return False
    from msil_mcp.cli.access import anybody_known
    from msil_mcp.cli.database import desk

    async with desk(settings) as at, at.database.reading() as session:
        return not await anybody_known(session)


def run_server(settings: Settings) -> None:
    """Serve in this process until it is told to stop."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=round(settings.drain_seconds),
    )
    uvicorn.Server(config).run()


def migrate(
    down: Annotated[str | None, typer.Option(help="Go down to this revision, or `base`.")] = None,
) -> None:
    """Bring the database to this release's schema."""
    database = Database(database_url(load_settings()))
    try:
        if down is not None:
            downgrade(database, metadata, revision=down)
            print(f"The database is at {down}.")
            return
        before = run(schema_revision(database))
        if before == HEAD:
            print(f"The database is at {HEAD} already.")
            return
        upgrade(database, metadata)
        print(f"The database went from {before or 'nothing'} to {HEAD}.")
    except MsilError as error:
        fail(str(error))


def secret() -> None:
    """Print a fresh value for MSIL_SECRET_KEY."""
    print(make_secret())


def booking_api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.")] = 8001,
) -> None:
    """Run the reference booking service by itself."""
    from booking_api.app import serve as serve_booking

    serve_booking(host, port)


def demo(
    port: Annotated[int, typer.Option(help="TCP port of the server.")] = 8000,
    booking_port: Annotated[int, typer.Option(help="TCP port of the booking service.")] = 8001,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".data"),
) -> None:
    """Run everything on this machine: the server, the booking service and its six tools."""
    port, booking_port = free_port(port), free_port(booking_port, avoid=port)
    settings = load_settings(host="127.0.0.1", port=port, data_dir=data_dir)
    if not settings.is_sqlite:
        fail(
            "The demo keeps its data in SQLite. Unset DATABASE_URL, or use: msil-mcp serve", code=2
        )
    booking = demonstration.booking_server(booking_port, data_dir=data_dir)
    threading.Thread(target=booking.run, name="booking-api", daemon=True).start()
    welcome = run(demonstration.prepare(settings, booking_url=f"http://127.0.0.1:{booking_port}"))
    print(welcome, flush=True)
    run_server(settings)


def free_port(wanted: int, *, avoid: int | None = None) -> int:
    """The wanted port, or the next one that nothing listens on."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port != avoid:
                return port
    return fail(f"No free port from {wanted} on. Give one with --port.")
