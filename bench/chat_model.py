"""The model behind every chat server: OpenAI's wire, always the same conversation.

Asked something, it calls the measured tool; given the result, it says a fixed number of words. Its
name says how: `bench-200-0` says 200 words without a pause, `bench-60-20` has 20 ms before each.
The first word is the time at which it was sent, in nanoseconds.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

from bench.document import MEASURED, WITNESS, measured_arguments

WORD = " word"
FRAGMENT = 12


def model_name(words: int, *, pause_ms: int = 0) -> str:
    return f"bench-{words}-{pause_ms}"


async def app(_scope: Any, receive: Any, send: Any) -> None:
    """POST anything; there is nothing else."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    asked = json.loads(body)
    words, pause_ms = map(int, asked["model"].split("-")[1:])
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    last = asked["messages"][-1]
    if last["role"] == "tool":
        if WITNESS not in json.dumps(last["content"]):
            raise ValueError(f"the tool's result is not the upstream's: {last}")
        for delta in _answer(words):
            if pause_ms:
                await asyncio.sleep(pause_ms / 1000)
            if not delta:
                delta = str(time.time_ns())
            await _say(send, asked["model"], {"content": delta})
        await _end(send, asked["model"], "stop")
    else:
        for delta in _call(asked["tools"]):
            await _say(send, asked["model"], {"tool_calls": [{"index": 0, **delta}]})
        await _end(send, asked["model"], "tool_calls")


def _answer(words: int) -> Iterator[str]:
    """The first one empty, for the time."""
    yield ""
    for _ in range(words - 1):
        yield WORD


def _call(tools: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The call in fragments, under the name the tool is offered by."""
    names = [tool["function"]["name"] for tool in tools]
    name = next(name for name in names if name.endswith(MEASURED))
    arguments = json.dumps(measured_arguments(1))
    yield {
        "id": f"call_{time.monotonic_ns()}", "type": "function",
        "function": {"name": name, "arguments": ""},
    }  # fmt: skip
    for start in range(0, len(arguments), FRAGMENT):
        yield {"function": {"arguments": arguments[start : start + FRAGMENT]}}


async def _say(send: Any, model: str, delta: dict[str, Any]) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
    await _chunk(send, model, {"choices": [choice]})


async def _end(send: Any, model: str, reason: str) -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": reason}
    usage = {"prompt_tokens": 400, "completion_tokens": 200, "total_tokens": 600}
    await _chunk(send, model, {"choices": [choice]})
    await _chunk(send, model, {"choices": [], "usage": usage})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _chunk(send: Any, model: str, facts: dict[str, Any]) -> None:
    chunk = {
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1763800000,
        "model": model, **facts,
    }  # fmt: skip
    body = f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})
