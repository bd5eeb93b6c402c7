"""How to connect: the addresses a caller may use, and configurations that work as they stand."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from databases import Templates, settings_for
from msil_mcp.mcp.clients import CLIENTS, ClientId
from running import Product, product

pytestmark = pytest.mark.anyio
PUBLIC = "https://tools.example.com"


async def connect(shared: Product, query: str = "", *, role: str = "user") -> Any:
    reply = await shared.request("GET", f"/api/connect{query}", role=role)
    assert reply.status == 200, reply.body
    return reply.json


def snippet(found: Any, client: ClientId, number: int = 0) -> dict[str, Any]:
    [one] = [client_view for client_view in found["clients"] if client_view["id"] == client]
    chosen: dict[str, Any] = one["snippets"][number]
    return chosen


async def test_the_addresses_of_ones_tools_are_listed(shared_product: Product) -> None:
    found = await connect(shared_product)
    here = shared_product.settings.base_url
    assert [(one["bundle"], one["url"], one["tools"]) for one in found["endpoints"]] == [
        (None, f"{here}/mcp", 6),
        ("service_booking", f"{here}/mcp/service_booking", 6),
    ]
    assert found["stateless_versions"] == ["2026-07-28"]
    assert "2025-06-18" in found["session_versions"]
    assert [one["kind"] for one in found["authentication"]] == ["api_key"]


async def test_a_caller_without_tools_is_told_of_no_bundle(shared_product: Product) -> None:
    found = await connect(shared_product, role="auditor")
    assert [(one["bundle"], one["tools"]) for one in found["endpoints"]] == [(None, 0)]
    hidden = await shared_product.request(
        "GET", "/api/connect?bundle=service_booking", role="auditor"
    )
    assert (hidden.status, hidden.json["code"]) == (404, "unknown_bundle")


async def test_configurations_are_for_the_address_that_was_chosen(shared_product: Product) -> None:
    found = await connect(shared_product, "?bundle=service_booking")
    assert found["url"].endswith("/mcp/service_booking")
    for client in found["clients"]:
        for one in client["snippets"]:
            assert found["url"] in one["text"]
            assert "{url}" not in one["text"]
            if one["language"] == "json":
                json.loads(one["text"])
    servers = json.loads(snippet(found, "vscode")["text"])["servers"]
    assert list(servers) == ["service_booking"]


def test_addresses_are_those_seen_from_outside(templates: Templates, booking_url: str) -> None:
    with templates.clone("sqlite") as url:
        settings = settings_for(url, public_url=PUBLIC, oidc_issuer="https://id.example.com")
        with product(settings, booking_url=booking_url) as running:
            headers = {"Host": "tools.example.com"}
            reply = asyncio.run(running.request("GET", "/api/connect", headers=headers))
    assert {one["url"] for one in reply.json["endpoints"]} == {
        f"{PUBLIC}/mcp",
        f"{PUBLIC}/mcp/service_booking",
    }
    [_, tokens] = reply.json["authentication"]
    assert tokens["issuer"] == "https://id.example.com"
    assert tokens["metadata_url"] == f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"


def test_the_python_code_runs_as_it_stands(shared_product: Product, tmp_path: Path) -> None:
    code = snippet(asyncio.run(connect(shared_product)), "python")
    script = tmp_path / code["file"]
    script.write_text(code["text"].replace("YOUR_KEY", shared_product.keys["user"]))
    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "resolve_vehicle - " in run.stdout


def test_the_configuration_of_the_bridge_starts_it(shared_product: Product, tmp_path: Path) -> None:
    config = json.loads(snippet(asyncio.run(connect(shared_product)), "claude_desktop")["text"])
    server = config["mcpServers"]["msil"]
    assert server["command"] == "msil-mcp"
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    run = subprocess.run(
        [sys.executable, "-m", "msil_mcp", *server["args"]],
        input=json.dumps(message) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={"MSIL_API_KEY": shared_product.keys["user"], "PYTHONPATH": ":".join(sys.path)},
    )
    assert json.loads(run.stdout.splitlines()[0])["result"]["serverInfo"], run.stderr


def test_every_client_says_what_it_supports_and_how_it_is_known() -> None:
    assert len({client.id for client in CLIENTS}) == len(CLIENTS)
    for client in CLIENTS:
        assert client.snippets
        assert client.note
        assert client.basis == "tested" or client.era == "sessions"
