"""Independent clients against the endpoint, in both eras: Python SDK, TypeScript SDK, Inspector."""

import json
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client

from conformance.catalogue import ConformanceProvider
from nodes import Node

pytestmark = pytest.mark.anyio

MODERN = "2026-07-28"
INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
SIMPLE_TEXT = "This is a simple text response for testing."
TOOLS = set(ConformanceProvider().tools)


async def accept(_context: Any, params: types.ElicitRequestFormParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"response": params.message, "name": "Asha"})


def text_of(result: types.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


@pytest.mark.parametrize("era", ["legacy", "auto", MODERN])
async def test_python_client_lists_and_calls(fixture_url: str, era: str) -> None:
    async with Client(fixture_url, mode=era) as client:
        listed = await client.list_tools()
        result = await client.call_tool("test_simple_text", {})

    assert {tool.name for tool in listed.tools} == TOOLS
    assert text_of(result) == SIMPLE_TEXT


@pytest.mark.parametrize("era", ["legacy", MODERN])
async def test_python_client_answers_what_a_call_asks(fixture_url: str, era: str) -> None:
    async with Client(fixture_url, mode=era, elicitation_callback=accept) as client:
        result = await client.call_tool("test_input_required_result_elicitation", {})

    assert text_of(result) == "Hello, Asha!"


@pytest.mark.parametrize("era", ["legacy", MODERN])
async def test_python_client_reads_prompts_and_resources(fixture_url: str, era: str) -> None:
    async with Client(fixture_url, mode=era) as client:
        prompts = await client.list_prompts()
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        resource = await client.read_resource("test://template/7/data")

    assert "test_simple_prompt" in {each.name for each in prompts.prompts}
    assert "arg1='a', arg2='b'" in prompt.messages[0].content.text
    assert json.loads(resource.contents[0].text)["id"] == "7"


@pytest.mark.parametrize("era", ["legacy", MODERN])
async def test_python_client_hears_progress(fixture_url: str, era: str) -> None:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with Client(fixture_url, mode=era) as client:
        result = await client.call_tool("test_tool_with_progress", {}, progress_callback=hear)

    assert text_of(result) == "finished"
    assert heard == [0, 50, 100]


@pytest.mark.parametrize("era", ["legacy", MODERN])
def test_typescript_client_lists_calls_and_answers(
    fixture_url: str, era: str, node: Node, tmp_path: Path
) -> None:
    tool = "test_input_required_result_elicitation"

    run = node.run("call_with_sdk.mjs", fixture_url, era, tool, "{}", home=tmp_path)

    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert set(seen["tools"]) == TOOLS
    assert seen["version"] == (MODERN if era == MODERN else "2025-11-25")
    assert seen["asked"] == ["What is your name?"]
    assert seen["result"]["content"] == [{"type": "text", "text": "Hello, typed!"}]


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_inspector_lists_and_calls(fixture_url: str, era: str, node: Node, tmp_path: Path) -> None:
    target = ["--cli", fixture_url, "--transport", "http", "--protocol-era", era]

    listed = node.run(INSPECTOR, *target, "--method", "tools/list", home=tmp_path)
    called = node.run(
        INSPECTOR, *target, "--method", "tools/call", "--tool-name", "test_simple_text",
        home=tmp_path,
    )  # fmt: skip

    assert listed.returncode == called.returncode == 0, listed.stderr + called.stderr
    assert {tool["name"] for tool in json.loads(listed.stdout)["tools"]} == TOOLS
    assert json.loads(called.stdout)["content"] == [{"type": "text", "text": SIMPLE_TEXT}]
