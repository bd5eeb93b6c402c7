"""Models that fail on purpose, the way providers do; and how every answer is sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msil_mcp.llm.scripted.checks import RefusedRequest
from msil_mcp.llm.scripted.encoding import Outcome, document, events, finish
from msil_mcp.llm.scripted.script import reply_to
from msil_mcp.llm.scripted.tokens import prompt_tokens
from msil_mcp.llm.scripted.wire import ChatRequest, Reply

MODEL: Final = "msil-scripted"
FAULTY: Final = (
    "demo-401", "demo-429", "demo-context", "demo-drop", "demo-filter", "demo-garbage", "demo-slow",
)  # fmt: skip
MODELS: Final = (MODEL, *FAULTY)
CONTEXT_TOKENS: Final = 128_000
SMALL_CONTEXT_TOKENS: Final = 16
RETRY_AFTER_SECONDS: Final = 2
GARBAGE: Final = b'data: {"id": "chatcmpl-garbage", "choices": [{"index": 0, "delta": {"con\n\n'

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Seconds between the pieces of an answer, and those of demo-slow."""

    pace: float
    slow: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An answer on its way; one that breaks off ends its connection instead of its body."""

    media_type: str
    pieces: Sequence[bytes]
    first_pause: float = 0.0
    pause: float = 0.0
    breaks_off: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def prepare(request: ChatRequest, *, clock: Clock, tempo: Tempo) -> Sending:
    """The answer to a request; raises RefusedRequest where the model's fault is to refuse."""
    _refuse(request.model)
    now = clock()
    prompt = prompt_tokens(request.messages, request.tools)
    window = SMALL_CONTEXT_TOKENS if request.model == "demo-context" else CONTEXT_TOKENS
    if prompt.total > window:
        raise RefusedRequest(
            400,
            f"This model's maximum context length is {window} tokens, and the messages have "
            f"{prompt.total}. Reduce the length of the messages.",
            code="context_length_exceeded",
            param="messages",
        )
    created = int(now.timestamp())
    if request.model == "demo-filter":
        outcome = Outcome(request, Reply(), prompt, created, "content_filter")
    else:
        reply = reply_to(request, today=now.date())
        outcome = finish(request, reply, prompt=prompt, created=created)
    return _streamed(outcome, tempo) if request.stream else _whole(outcome, tempo)


def _refuse(model: str) -> None:
    if model == "demo-401":
        raise RefusedRequest(401, "Incorrect API key provided.", code="invalid_api_key")
    if model == "demo-429":
        raise RefusedRequest(
            429,
            "Rate limit reached for requests.",
            type="requests",
            code="rate_limit_exceeded",
            retry_after=RETRY_AFTER_SECONDS,
        )


def _streamed(outcome: Outcome, tempo: Tempo) -> Sending:
    pieces = list(events(outcome))
    media_type, model = "text/event-stream; charset=utf-8", outcome.request.model
    if model == "demo-slow":
        return Sending(
            media_type=media_type, pieces=pieces, first_pause=tempo.slow, pause=tempo.slow
        )
    if model == "demo-drop":
        half = pieces[: max(2, len(pieces) // 2)]
        return Sending(media_type=media_type, pieces=half, breaks_off=True)
    if model == "demo-garbage":
        pieces = [*pieces[:1], GARBAGE, *pieces[1:]]
    return Sending(media_type=media_type, pieces=pieces, pause=tempo.pace)


def _whole(outcome: Outcome, tempo: Tempo) -> Sending:
    body, model = document(outcome), outcome.request.model
    length = {"Content-Length": str(len(body))}
    if model == "demo-drop":
        half = [body[: len(body) // 2]]
        return Sending(media_type="application/json", pieces=half, headers=length, breaks_off=True)
    if model == "demo-garbage":
        return Sending(media_type="application/json", pieces=[body[: len(body) // 2]])
    first_pause = tempo.slow if model == "demo-slow" else 0.0
    return Sending(
        media_type="application/json", pieces=[body], headers=length, first_pause=first_pause
    )
