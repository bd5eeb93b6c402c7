"""Requests and answers of the chat completions API, as far as the facade speaks it.

What cannot be honoured and would change the meaning of an answer is refused; sampling parameters
and notes for a provider's own records are accepted and have no effect.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.chat.agent import Answer
from msil_mcp.chat.facade_errors import NotAccepted
from msil_mcp.llm.messages import Assistant, Message, System, User
from msil_mcp.llm.usage import TokenUsage

DONE: Final = b"data: [DONE]\n\n"
WAITING: Final = b": waiting\n\n"
MOST_MESSAGES: Final = 2000


class ContentPart(BaseModel):
    """A piece of a message; only text is accepted."""

    type: str
    text: str = ""


class ChatMessageBody(BaseModel):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[Any] | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool = False


class ResponseFormat(BaseModel):
    """Only text is made."""

    type: str = "text"


class CompletionBody(BaseModel):
    """The body of POST /v1/chat/completions."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=200)
    messages: list[ChatMessageBody] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    tool_choice: Any = None
    function_call: Any = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    stop: str | list[str] | None = None
    modalities: list[str] | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens an answer of the model may have."""
        return self.max_completion_tokens or self.max_tokens

    def check(self) -> None:
        """NotAccepted for what the facade does not do."""
        for param in ("tools", "functions"):
            if getattr(self, param):
                raise NotAccepted(param, case="own_tools", param=param)
        for param in ("tool_choice", "function_call"):
            if getattr(self, param) not in (None, "auto"):
                raise NotAccepted(param, case="own_tools", param=param)
        if self.n not in (None, 1):
            raise NotAccepted("n", case="one_answer")
        if self.response_format is not None and self.response_format.type != "text":
            raise NotAccepted("response_format", case="text_only", param="response_format")
        if self.logprobs:
            raise NotAccepted("logprobs", case="not_supported", param="logprobs")
        if self.stop:
            raise NotAccepted("stop", case="not_supported", param="stop")
        if self.modalities not in (None, ["text"]):
            raise NotAccepted("modalities", case="text_only", param="modalities")
        for number, message in enumerate(self.messages):
            _check_message(message, f"messages[{number}]")

    def conversation(self) -> list[Message]:
        """The messages as the model service takes them."""
        return [_message(message) for message in self.messages]


def _check_message(message: ChatMessageBody, param: str) -> None:
    if message.tool_calls:
        raise NotAccepted(f"{param}.tool_calls", case="own_tools", param="tool_calls")
    if isinstance(message.content, list) and any(part.type != "text" for part in message.content):
        raise NotAccepted(f"{param}.content", case="text_parts")


def _message(message: ChatMessageBody) -> Message:
    if message.role == "user":
        return User(message.text)
    if message.role == "assistant":
        return Assistant(message.text)
    return System(message.text)


class ModelCard(BaseModel):
    """A model that a caller may name."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """Every model that a caller may name."""

    object: Literal["list"] = "list"
    data: Sequence[ModelCard]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Encodes one answer; every piece of it carries the same id and time."""

    model: str
    with_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def document(self, answer: Answer) -> bytes:
        """The answer to a request that does not stream."""
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": answer.ending,
        }
        body = self._head("chat.completion", answer.model)
        return msgspec.json.encode({**body, "choices": [choice], "usage": _usage(answer.usage)})

    def beginning(self) -> bytes:
        """Says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        """A piece of the text."""
        return self._chunk({"content": text})

    def end(self, answer: Answer) -> bytes:
        """Why the answer ended, what it took if that was asked for, and the end of the stream."""
        last = self._chunk({}, finish_reason=answer.ending)
        if not self.with_usage:
            return last + DONE
        head = self._head("chat.completion.chunk", self.model)
        return last + _event({**head, "choices": [], "usage": _usage(answer.usage)}) + DONE

    def broken(self, error: dict[str, Any]) -> bytes:
        """The stream could not be finished; clients raise what this says."""
        return _event(error)

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        body = {**self._head("chat.completion.chunk", self.model), "choices": [choice]}
        if self.with_usage:
            body["usage"] = None
        return _event(body)

    def _head(self, kind: str, model: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": model}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def _usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }
