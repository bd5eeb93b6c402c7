"""The command line: everything an operator, integrator or auditor does without a browser."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

from msil_mcp.cli.output import quiet_logging

COMMANDS: Final = {
    "demo": "serving",
    "serve": "serving",
    "migrate": "serving",
    "secret": "serving",
    "backup": "safekeeping",
    "restore": "safekeeping",
    "booking-api": "serving",
    "import": "catalogue",
    "tools": "catalogue",
    "bundles": "catalogue",
    "keys": "access",
    "users": "access",
    "roles": "access",
    "approvals": "oversight",
    "audit": "oversight",
    "doctor": "doctor",
    "scripted-model": "models",
    "eval": "models",
    "usage": "conversations",
    "conversations": "conversations",
}
"""Which module has a command. Only that one is imported: a bridge on stdio starts at once."""


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The application with the module of the command that is asked for, or with all of them."""
    app = typer.Typer(
        name="msil-mcp",
        help="OpenAPI documents become governed MCP tools.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    # With a callback a single command is still called by its name.
    app.callback()(lambda: None)
    asked = COMMANDS.get(arguments[0]) if arguments else None
    for name in [asked] if asked else dict.fromkeys(COMMANDS.values()):
        import_module(f"msil_mcp.cli.{name}").register(app)
    return app


def main() -> None:
    """Entry point of `msil-mcp`."""
    quiet_logging()
    build(sys.argv[1:])()
