"""Token counts by a fixed estimate: no tokenizer, the same text always counts the same.

A word costs one token for every four characters begun, other characters one each. A prompt's
prefix counts as read from the cache when an earlier request of the same conversation must have
sent it: everything before the model's last message, in whole blocks, as OpenAI caches.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from msil_mcp.llm.scripted.wire import Message, Reply, Tool

CACHE_BLOCK: Final = 128
CACHE_SMALLEST: Final = 1024
MESSAGE_OVERHEAD: Final = 4
_PIECE: Final = re.compile(r"[A-Za-z]+|\d{1,3}|[\u0900-\u097f]+|\s+|.", re.DOTALL)


def count_tokens(text: str) -> int:
    """Tokens of a text."""
    return sum(_cost(piece) for piece in _PIECE.findall(text))


def _cost(piece: str) -> int:
    if piece == " ":
        return 0
    if piece[0].isascii() and not piece[0].isalpha():
        return 1
    width = 4 if piece[0].isascii() else 2
    return -(-len(piece) // width)


def message_tokens(message: Message) -> int:
    """Tokens of one message, with its calls and what surrounds it."""
    calls = sum(
        count_tokens(call.function.name + call.function.arguments) + MESSAGE_OVERHEAD
        for call in message.tool_calls or ()
    )
    return MESSAGE_OVERHEAD + count_tokens(message.text) + calls


def tools_tokens(tools: Sequence[Tool] | None) -> int:
    """Tokens of the tool definitions."""
    return count_tokens(msgspec.json.encode(tools).decode()) if tools else 0


def reply_tokens(reply: Reply) -> int:
    """Tokens of the answer."""
    calls = sum(
        count_tokens(call.name + msgspec.json.encode(call.arguments).decode()) + MESSAGE_OVERHEAD
        for call in reply.calls
    )
    return max(1, count_tokens(reply.text) + calls)


class PromptTokens(msgspec.Struct, frozen=True):
    """The prompt's size, and how much of it an earlier request has sent already."""

    total: int
    cached: int


def prompt_tokens(messages: Sequence[Message], tools: Sequence[Tool] | None) -> PromptTokens:
    """Tokens of a request."""
    sizes = [message_tokens(message) for message in messages]
    fixed = tools_tokens(tools)
    last = max((i for i, m in enumerate(messages) if m.role == "assistant"), default=None)
    repeated = 0 if last is None else fixed + sum(sizes[:last])
    cached = repeated // CACHE_BLOCK * CACHE_BLOCK if repeated >= CACHE_SMALLEST else 0
    return PromptTokens(total=fixed + sum(sizes), cached=cached)
