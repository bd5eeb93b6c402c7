"""`python -m msil_mcp`."""

from msil_mcp.cli import main

main()
