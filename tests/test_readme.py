"""What the README tells a newcomer to type does what it says."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client.streamable_http import streamable_http_client

from mcp import Client
from running import free_port

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent
TOOLS = {
    "resolve_customer",
    "resolve_vehicle",
    "get_nearby_dealers",
    "get_available_slots",
    "create_service_booking",
    "get_booking_status",
}


@contextmanager
def started(
    arguments: Sequence[str], *, until: str, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A command until it logs that it serves; what it printed up to then."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=inherited | dict(env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    impatience = threading.Timer(60, os.killpg, (process.pid, signal.SIGKILL))
    impatience.start()
    printed = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if until in line:
                break
        else:
            pytest.fail(f"it ended, or took a minute, before it served:\n{printed}")
        yield printed
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate()
        impatience.cancel()


async def test_the_plain_command_starts_the_server(tmp_path: Path) -> None:
    command = "python -m uvicorn msil_mcp.main:app --reload --port 8000"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    port = str(free_port())
    arguments = command.replace("8000", port).split()[1:]
    served = "Application startup complete"
    with started(arguments, until=served, folder=tmp_path, env={"PORT": port}):
        answer = httpx2.get(f"http://127.0.0.1:{port}/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


async def test_the_demo_prints_a_configuration_that_a_client_can_use(tmp_path: Path) -> None:
    arguments = ["-m", "msil_mcp", "demo", "--port", str(free_port())]
    with started(arguments, until="Uvicorn running", folder=tmp_path) as printed:
        begin, end = printed.index("{\n"), printed.index("\n}\n") + 2
        server = json.loads(printed[begin:end])["mcpServers"]["msil"]
        http = httpx2.AsyncClient(headers=server["headers"])
        async with http, Client(streamable_http_client(server["url"], http_client=http)) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
            vehicle = {"registration_number": "MH12AB1234"}
            found = await client.call_tool("resolve_vehicle", vehicle)
        assert found.structured_content["model"] == "Swift"
        base = server["url"].removesuffix("/mcp")
        assert "One click signs you in." in printed
        clicked = httpx2.post(f"{base}/api/auth/loopback", headers={"Origin": base})
        page = httpx2.get(f"{base}/chat")
    assert clicked.json()["name"] == "Administrator"
    assert ("not built yet" in printed) == (page.status_code == 503)
    assert (tmp_path / ".data" / "msil.db").exists()


def test_make_alone_lists_the_commands() -> None:
    make = shutil.which("make")
    assert make is not None
    listed = subprocess.run([make], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "lint", "conformance", "bench"):
        assert f"make {target} " in listed
