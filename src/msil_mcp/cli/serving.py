"""Commands that run things: demo, serve, migrate, booking-api.

Each imports what it runs when it runs: a bridge on stdio needs nothing of the server.
"""

import socket
import threading
from pathlib import Path
from typing import Annotated

import typer

from msil_mcp.cli.output import fail, load_settings, run

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
    from msil_mcp.cli.server import serve_http

    serve_http(load_settings(host=host, port=port), workers=workers)


def migrate(
    down: Annotated[str | None, typer.Option(help="Go down to this revision, or `base`.")] = None,
) -> None:
    """Bring the database to this release's schema."""
    from msil_mcp.cli.server import migrate_database

    print(migrate_database(load_settings(), down=down))


def secret() -> None:
    """Print a fresh value for MSIL_SECRET_KEY."""
    from msil_mcp.sealing import make_secret

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
    from msil_mcp.cli import demo as demonstration
    from msil_mcp.cli.server import check_servable, run_server

    port, booking_port = free_port(port), free_port(booking_port, avoid=port)
    settings = load_settings(host="127.0.0.1", port=port, data_dir=data_dir)
    settings = demonstration.with_one_click(settings)
    if not settings.is_sqlite:
        fail(
            "The demo keeps its data in SQLite. Unset DATABASE_URL, or use: msil-mcp serve", code=2
        )
    check_servable(settings, workers=1)
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
