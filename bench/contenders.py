"""The servers compared: what each is, and the command that serves the document with it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.databases import Backing
from bench.peer_environment import PEERS
from bench.processes import LOOPBACK

OUR_COMMAND = (sys.executable, "-m", "msil_mcp")
# A limit no leg reaches: the rule runs, counts and refuses nothing.
PLENTY = "1000000"


@dataclass(frozen=True, slots=True)
class Contender:
    """One kind of server; `peer` names its module under peers/, none is ours."""

    key: str
    title: str
    peer: str = ""
    backing: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is this product."""
        return not self.peer


CONTENDERS = (
    Contender("ours", "MSIL MCP Server, SQLite", backing="sqlite"),
    Contender("ours-pg", "MSIL MCP Server, PostgreSQL + Redis", backing="postgresql"),
    Contender("fastmcp", "FastMCP, from_openapi", peer="fastmcp_app"),
    Contender("lowlevel", "MCP SDK, low-level server", peer="lowlevel"),
    Contender("floor", "bare msgspec + aiohttp relay", peer="floor"),
)


@dataclass(frozen=True, slots=True)
class Service:
    """How to start a contender and reach it."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str
    list_url: str
    # A Python and the statement that loads what the server cannot do without.
    python: str
    imports: str
    headers: Mapping[str, str] = field(default_factory=dict)


def peer_service(contender: Contender, *, document: Path, python: Path, port: int) -> Service:
    url = f"http://{LOOPBACK}:{port}/mcp"
    return Service(
        command=(
            str(python), "-m", "uvicorn", f"{contender.peer}:app", "--app-dir", str(PEERS),
            "--host", LOOPBACK, "--port", str(port), "--workers", "1",
            "--loop", "uvloop", "--http", "httptools",
            "--log-level", "critical", "--no-access-log",
        ),
        environment={"BENCH_DOCUMENT": str(document)},
        url=url,
        list_url=url,
        python=str(python),
        imports=f"import uvicorn, uvloop, httptools, {IMPORTS[contender.key]}",
    )  # fmt: skip


IMPORTS = {
    "fastmcp": "fastmcp, httpx2",
    "lowlevel": "mcp.server.lowlevel.server, mcp_types, aiohttp, jsonschema_rs",
    "floor": "aiohttp, jsonschema_rs, msgspec",
}


def our_environment(backing: Backing, *, port: int) -> dict[str, str]:
    """Every rule on; the limits high enough to refuse nothing."""
    return {
        **backing.environment,
        "HOST": LOOPBACK,
        "PORT": str(port),
        "MSIL_RATE_PER_PRINCIPAL": PLENTY,
        "MSIL_RATE_BURST": PLENTY,
        "MSIL_RATE_PER_TOOL": PLENTY,
        "MSIL_RATE_GLOBAL": PLENTY,
    }


def our_service(backing: Backing, *, port: int, key: str) -> Service:
    base = f"http://{LOOPBACK}:{port}/mcp"
    return Service(
        command=(*OUR_COMMAND, "serve"),
        environment=our_environment(backing, port=port),
        url=base,
        list_url=f"{base}/bench",
        python=sys.executable,
        imports="import uvicorn, uvloop, httptools, msil_mcp.main, msil_mcp.cli",
        headers={"Authorization": f"Bearer {key}"},
    )
