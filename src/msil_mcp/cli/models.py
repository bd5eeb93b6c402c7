"""Commands about language models: the scripted one served by itself, and conversations scored."""

import socket
from typing import Annotated

import typer

from msil_mcp.cli.output import fail


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("scripted-model")(scripted_model)


def scripted_model(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.", min=0, max=65535)] = 8002,
    pace: Annotated[
        float, typer.Option(help="Seconds between the pieces of a streamed answer.", min=0, max=10)
    ] = 0.02,
) -> None:
    """Serve the scripted model, which speaks OpenAI's protocol and needs no key."""
    from msil_mcp.llm.scripted.server import serve

    port = _bindable(host, port)
    shown = f"[{host}]" if ":" in host else host
    print(
        f"The scripted model answers at http://{shown}:{port}/v1. A server uses it with "
        f"OPENAI_BASE_URL=http://{shown}:{port}/v1 OPENAI_API_KEY=none "
        "OPENAI_MODEL=openai:msil-scripted",
        flush=True,
    )
    serve(host, port, pace_seconds=pace)


def _bindable(host: str, port: int) -> int:
    """The port, or a free one for 0; fails where nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        fail(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port.")
