"""`serve --stdio`: clients that start a program reach a running server through it."""

import os
import subprocess
import sys
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from running import Product

pytestmark = pytest.mark.anyio


def bridge(product: Product, *, key: str | None = None) -> StdioServerParameters:
    environment = {
        "MSIL_API_KEY": key or product.keys["user"],
        "MSIL_MCP_URL": f"{product.url}/mcp",
        "PATH": os.environ["PATH"],
    }
    return StdioServerParameters(
        command=sys.executable, args=["-m", "msil_mcp", "serve", "--stdio"], env=environment
    )


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
async def test_a_client_lists_calls_and_is_asked_through_the_bridge(
    shared_product: Product, era: str
) -> None:
    asked: list[str] = []

    async def decline(_context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="decline")

    async with Client(
        stdio_client(bridge(shared_product)), mode=era, elicitation_callback=decline
    ) as client:
        assert len((await client.list_tools()).tools) == 6
        found = await client.call_tool("resolve_vehicle", {"registration_number": "MH12AB1234"})
        assert found.structured_content["model"] == "Swift"
        refused = await client.call_tool(
            "create_service_booking",
            {
                "customer_mobile": "9876543210",
                "vehicle_registration": "MH12AB1234",
                "dealer_code": "MSIL-PUNE-003",
                "appointment_date": "2030-01-01",
                "appointment_time": "10:00",
                "service_type": "regular",
            },
        )
        assert refused.is_error
    assert len(asked) == 1


def test_without_a_key_the_bridge_says_what_to_set() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "msil_mcp", "serve", "--stdio"],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 2
    assert "MSIL_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_an_answer_not_a_hang() -> None:
    line = '{"jsonrpc": "2.0", "id": 7, "method": "ping"}\n'
    done = subprocess.run(
        [sys.executable, "-m", "msil_mcp", "serve", "--stdio", "--url", "http://127.0.0.1:9/mcp"],
        input=line,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "MSIL_API_KEY": "msil_x"},
    )
    assert '"id":7' in done.stdout
    assert "cannot be reached" in done.stdout
