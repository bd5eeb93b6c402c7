"""The official SDK's low-level server over the same table: one handler to list, one to call.

`get_tool_input_schema` is given, so that a modern call need not run the list handler first; both
are the SDK's quicker choices, as are no sessions and plain JSON answers.
"""

import json
from typing import Any

import jsonschema_rs
import mcp_types as types
from mcp.server.lowlevel.server import Server

from operations import Operations

operations = Operations()
listed = types.ListToolsResult(
    tools=[
        types.Tool(
            name=operation.name,
            description=operation.description,
            input_schema=operation.input_schema,
            output_schema=operation.output_schema,
        )
        for operation in operations.by_name.values()
    ]
)


async def list_tools(_context: Any, _parameters: Any) -> types.ListToolsResult:
    return listed


async def call_tool(_context: Any, parameters: Any) -> types.CallToolResult:
    operation = operations.by_name[parameters.name]
    arguments = parameters.arguments or {}
    try:
        operation.validator.validate(arguments)
    except jsonschema_rs.ValidationError as error:
        refusal = types.TextContent(type="text", text=error.message)
        return types.CallToolResult(content=[refusal], is_error=True)
    raw = await operations.fetch(operation, arguments)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=raw.decode())],
        structured_content=json.loads(raw),
    )


def input_schema(name: str) -> dict[str, Any] | None:
    operation = operations.by_name.get(name)
    return operation.input_schema if operation else None


server = Server(
    "lowlevel",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    get_tool_input_schema=input_schema,
)
app = server.streamable_http_app(json_response=True, stateless_http=True)
