"""Answers as the API sends them: one document, or server-sent events with fragments."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from msil_mcp.llm.scripted.tokens import PromptTokens, count_tokens, reply_tokens
from msil_mcp.llm.scripted.wire import ChatRequest, PlannedCall, Reply

DONE: Final = b"data: [DONE]\n\n"
FRAGMENT: Final = 11
"""Characters of arguments in one delta: short, so that JSON is cut in the middle of tokens."""
_WORDS: Final = re.compile(r"\S+\s*|\s+")


class Outcome(msgspec.Struct, frozen=True):
    """An answer with everything its encoding needs; `created` is in seconds since 1970."""

    request: ChatRequest
    reply: Reply
    prompt: PromptTokens
    created: int
    finish: str = "stop"

    @property
    def id(self) -> str:
        """The same for the same conversation, so that a repeated request is recognised."""
        return f"chatcmpl-{_digest(self.request)[:24]}"

    @property
    def usage(self) -> dict[str, Any]:
        """Token counts, cached ones among the prompt's."""
        completion = reply_tokens(self.reply)
        return {
            "prompt_tokens": self.prompt.total,
            "completion_tokens": completion,
            "total_tokens": self.prompt.total + completion,
            "prompt_tokens_details": {"cached_tokens": self.prompt.cached},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def finish(request: ChatRequest, reply: Reply, *, prompt: PromptTokens, created: int) -> Outcome:
    """The answer, cut off where the request limits its length."""
    if reply.calls:
        return Outcome(request, reply, prompt, created, "tool_calls")
    if request.limit is not None and count_tokens(reply.text) > request.limit:
        reply = Reply(text=_cut(reply.text, request.limit))
        return Outcome(request, reply, prompt, created, "length")
    return Outcome(request, reply, prompt, created)


def document(outcome: Outcome) -> bytes:
    """The answer to a request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": outcome.reply.text or None}
    if outcome.reply.calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": _function(call)}
            for call_id, call in _numbered(outcome)
        ]
    return msgspec.json.encode(
        {
            "id": outcome.id,
            "object": "chat.completion",
            "created": outcome.created,
            "model": outcome.request.model,
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": outcome.finish}
            ],
            "usage": outcome.usage,
        }
    )


def events(outcome: Outcome, *, fragment: int = FRAGMENT) -> Iterator[bytes]:
    """The answer as server-sent events, up to and including [DONE]."""
    options = outcome.request.stream_options
    with_usage = options is not None and options.include_usage
    answer_id = outcome.id

    def chunk(choices: Sequence[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        body: dict[str, Any] = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": outcome.created,
            "model": outcome.request.model,
            "choices": choices,
        }
        if with_usage:
            body["usage"] = usage
        return b"data: " + msgspec.json.encode(body) + b"\n\n"

    def delta(content: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return chunk([{"index": 0, "delta": content, "finish_reason": finish_reason}])

    yield delta({"role": "assistant", "content": None if outcome.reply.calls else ""})
    for word in _WORDS.findall(outcome.reply.text):
        yield delta({"content": word})
    for index, (call_id, call) in enumerate(_numbered(outcome)):
        function = _function(call)
        head = {"index": index, "id": call_id, "type": "function"}
        head["function"] = {"name": function["name"], "arguments": ""}
        yield delta({"tool_calls": [head]})
        for piece in fragments(function["arguments"], size=fragment):
            yield delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield delta({}, outcome.finish)
    if with_usage:
        yield chunk([], outcome.usage)
    yield DONE


def fragments(text: str, *, size: int) -> Iterator[str]:
    """The text in pieces of at most `size` characters."""
    return (text[start : start + size] for start in range(0, len(text), size))


def _function(call: PlannedCall) -> dict[str, str]:
    return {"name": call.name, "arguments": msgspec.json.encode(call.arguments).decode()}


def _numbered(outcome: Outcome) -> Iterator[tuple[str, PlannedCall]]:
    digest = _digest(outcome.request)
    for index, call in enumerate(outcome.reply.calls):
        yield f"call_{digest[:20]}{index:02d}", call


def _digest(request: ChatRequest) -> str:
    return hashlib.sha256(msgspec.json.encode(request.messages)).hexdigest()


def _cut(text: str, limit: int) -> str:
    kept = ""
    for word in _WORDS.findall(text):
        if count_tokens(kept + word) > limit:
            break
        kept += word
    return kept
