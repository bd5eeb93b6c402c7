"""The requests and answers of the chat completions API, as far as this model speaks it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class Part(msgspec.Struct):
    """A piece of a message's content; only text is read."""

    type: str
    text: str = ""


class Function(msgspec.Struct):
    """Which function was called, with its arguments as JSON text."""

    name: str
    arguments: str = "{}"


class Call(msgspec.Struct):
    """A tool call of an earlier answer."""

    id: str
    function: Function
    type: str = "function"


class Message(msgspec.Struct):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The content's text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class ToolFunction(msgspec.Struct):
    """A function the model may call."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class Tool(msgspec.Struct):
    """A tool of the request."""

    function: ToolFunction
    type: str = "function"


class NamedFunction(msgspec.Struct):
    """The name in a tool choice."""

    name: str


class NamedTool(msgspec.Struct):
    """A tool choice that names one."""

    function: NamedFunction


class StreamOptions(msgspec.Struct):
    """What a stream ends with."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The body of POST /v1/chat/completions; unknown members are ignored."""

    model: str
    messages: list[Message]
    tools: list[Tool] | None = None
    tool_choice: str | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def offered(self) -> list[str]:
        """Names of the tools that may be called."""
        if self.tool_choice == "none":
            return []
        names = [tool.function.name for tool in self.tools or ()]
        if isinstance(self.tool_choice, NamedTool):
            return [name for name in names if name == self.tool_choice.function.name]
        return names


class PlannedCall(msgspec.Struct, frozen=True):
    """A tool call of the answer."""

    name: str
    arguments: Mapping[str, Any]


class Reply(msgspec.Struct, frozen=True):
    """What the model answers: words, or calls."""

    text: str = ""
    calls: tuple[PlannedCall, ...] = ()
