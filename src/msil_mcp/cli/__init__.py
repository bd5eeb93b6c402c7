"""The command line: everything an operator, integrator or auditor does without a browser."""

import typer

from msil_mcp.cli import access, catalogue, oversight, serving

app = typer.Typer(
    name="msil-mcp",
    help="OpenAPI documents become governed MCP tools.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
serving.register(app)
catalogue.register(app)
access.register(app)
oversight.register(app)


def main() -> None:
    """Entry point of `msil-mcp`."""
    app()
