"""The scripted model over HTTP, with what it was asked, and with trouble made on purpose."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from msil_mcp.chat.context import approximate_tokens
from msil_mcp.llm.scripted.server import create_app
from msil_mcp.llm.summarising import TASK, unframed

Trouble = Literal["error", "nothing", "silence"]


@dataclass
class Overheard:
    """`trouble` is made for requests for a summary; `asked` holds the others' messages.

    A summary waits while `may_answer` is not set.
    """

    trouble: Trouble | None = None
    may_answer: threading.Event = field(default_factory=threading.Event)
    asked: list[list[dict[str, Any]]] = field(default_factory=list)
    records: list[list[dict[str, Any]]] = field(default_factory=list)
    _app: Any = field(default_factory=create_app)

    def forget(self, trouble: Trouble | None = None) -> None:
        self.trouble = trouble
        self.may_answer.set()
        self.asked.clear()
        self.records.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/completions"):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        messages = msgspec.json.decode(body)["messages"]
        if is_for_summary := messages[0]["content"].startswith(TASK):
            self.records.append([*map(msgspec.json.decode, messages[1]["content"].split("\n"))])
            await asyncio.to_thread(self.may_answer.wait, 10)
        else:
            self.asked.append(messages)
        if is_for_summary and self.trouble == "error":
            error = {"error": {"message": "overloaded", "type": "server_error"}}
            await JSONResponse(error, status_code=503)(scope, receive, send)
        elif is_for_summary and self.trouble == "silence":
            await receive()  # Until the client has gone.
        else:
            if is_for_summary and self.trouble == "nothing":
                body = msgspec.json.encode(msgspec.json.decode(body) | {"max_completion_tokens": 1})
            await self._app(scope, _again(body), send)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The conversation of the last request, without what the system says."""
        return conversation(self.asked[-1])

    @property
    def shown_summary(self) -> str | None:
        """The summary in the last request."""
        return unframed(self.shown[0]["content"])


def conversation(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if message["role"] != "system"]


def size(messages: list[dict[str, Any]]) -> int:
    """About the tokens of what was said in them."""
    texts = [message.get("content") or "" for message in messages]
    calls = [call["function"] for message in messages for call in message.get("tool_calls") or ()]
    return sum(map(approximate_tokens, [*texts, *(call["arguments"] for call in calls)]))


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes) -> Receive:
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            return {"type": "http.disconnect"}
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
