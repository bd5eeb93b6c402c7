"""The floor: what one relayed call costs in Python when nothing is governed.

Bare ASGI, msgspec, jsonschema_rs and aiohttp. No session, no headers looked at, nobody
authenticated, nothing limited, recorded, measured or masked; tools/list is bytes made at start.
"""

from typing import Any

import jsonschema_rs
import msgspec

from operations import Operations

operations = Operations()
listed = msgspec.json.encode(
    {
        "resultType": "complete",
        "tools": [
            {
                "name": operation.name,
                "description": operation.description,
                "inputSchema": operation.input_schema,
                "outputSchema": operation.output_schema,
            }
            for operation in operations.by_name.values()
        ],
        "ttlMs": 0,
        "cacheScope": "private",
    }
)
initialized = msgspec.json.encode(
    {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "floor", "version": "1"},
    }
)
decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


async def call(parameters: dict[str, Any]) -> bytes:
    operation = operations.by_name[parameters["name"]]
    arguments = parameters["arguments"]
    try:
        operation.validator.validate(arguments)
    except jsonschema_rs.ValidationError as error:
        text, structured, failed = error.message, None, True
    else:
        raw = await operations.fetch(operation, arguments)
        text, structured, failed = raw.decode(), decode(raw), False
    return encode(
        {
            "resultType": "complete",
            "content": [{"type": "text", "text": text}],
            "structuredContent": structured,
            "isError": failed,
        }
    )


async def answer(message: dict[str, Any]) -> bytes:
    match message["method"]:
        case "tools/call":
            return await call(message["params"])
        case "tools/list":
            return listed
        case "initialize":
            return initialized
        case _:
            return b"{}"


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    message = decode(body)
    if "id" not in message:
        status, content = 202, b""
    else:
        status = 200
        content = b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (message["id"], await answer(message))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def live(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await operations.close()
    await send({"type": "lifespan.shutdown.complete"})
