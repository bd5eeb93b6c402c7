"""What the REST routes of conversations take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from msil_mcp.chat.ledger import NANOS
from msil_mcp.chat.models import MessageStatus, Rating, Role, RunState
from msil_mcp.chat.parts import Part
from msil_mcp.governance.executions import State

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{1,40}$")]
Title = Annotated[str, Field(max_length=200)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=16)]
Model = Annotated[str, Field(pattern=r"^[\w./:@ -]*$", max_length=200)]
Dollars = Annotated[
    float,
    BeforeValidator(lambda nanos: nanos / NANOS),
    Field(validation_alias="cost_nanos", description="US dollars."),
]
Attributes = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=500)]],
    Field(max_length=32, description="The caller's own notes about the session."),
]


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionView(_View):
    """A session, without its messages."""

    id: str
    owner_id: str
    title: str
    language: str | None
    model: str | None
    pinned: bool
    archived: bool
    head_id: str | None
    metadata: Attributes = Field(validation_alias="attributes")
    created_at: datetime
    updated_at: datetime
    last_message_at: datetime | None


class RunView(_View):
    """The answer that is being made."""

    id: str
    state: RunState
    user_message_id: str
    assistant_message_id: str | None
    created_at: datetime
    started_at: datetime | None


class SummaryView(_View):
    """What the model is shown instead of a branch's messages up to and including `until_id`.

    The messages themselves stay. `messages` counts them; it is not `whole` when some of them could
    not be taken into it. What making it took is part of the run's usage.
    """

    id: str
    until_id: str
    messages: int
    whole: bool
    text: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Dollars
    run_id: str
    created_at: datetime


class SessionDetail(BaseModel):
    """A session, the answer that is being made in it, and the summary its next answer starts from.

    Without a summary the model is shown the messages themselves.
    """

    session: SessionView
    active_run: RunView | None
    summary: SummaryView | None


class SessionBody(_Body):
    """A session to make; without a title it takes one from the first thing said."""

    title: Title = ""
    language: Language | None = Field(None, description="Absent: the person's own.")
    model: Model | None = None
    metadata: Attributes = Field(default_factory=dict)


class SessionPatch(_Body):
    """What to change; what is absent stays. Empty is the default model, the person's language."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    pinned: bool | None = None
    archived: bool | None = None
    language: Language | Literal[""] | None = None
    model: Model | None = None
    metadata: Attributes | None = None


class MessageView(_View):
    """A message. `sequence` counts the session's messages over all branches, without a gap."""

    id: str
    sequence: int
    parent_id: str | None
    role: Role
    status: MessageStatus
    parts: list[Part]
    model: str | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Dollars
    run_id: str | None
    rating: Rating | None
    comment: str | None
    created_at: datetime


class ForkView(_View):
    """A place with several continuations, oldest first; no parent is the very beginning."""

    parent_id: str | None
    children: list[str]
    chosen: str | None


class Branches(BaseModel):
    """Where the conversation was continued in several ways."""

    head_id: str | None
    forks: list[ForkView]


class BranchBody(_Body):
    """A user's message to say in other words, or, without a text, an answer to write again."""

    message_id: str = Field(max_length=40, pattern=r"^[0-9a-f]+$")
    text: str | None = Field(None, min_length=1, max_length=100_000)


class FeedbackBody(_Body):
    """Thumbs and a comment; neither takes them back."""

    rating: Rating | None = None
    comment: str | None = Field(None, max_length=2_000)


class ToolUseView(_View):
    """A tool call; `success` is null until it has ended."""

    id: str
    tool: str
    state: State
    arguments: dict[str, Any] | None
    result: Any
    success: bool | None
    error: str | None
    duration_ms: float | None
    run_id: str | None
    message_id: str | None
    created_at: datetime
    finished_at: datetime | None


class StatisticsView(_View):
    """What a session amounts to, over all branches; times in milliseconds."""

    messages: int
    user_messages: int
    assistant_messages: int
    tool_calls: int
    tool_calls_succeeded: int
    tool_calls_failed: int
    success_rate: float | None
    average_tool_ms: float | None
    p95_tool_ms: float | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Dollars
    first_activity_at: datetime | None
    last_activity_at: datetime | None


BranchFilter = Literal["active", "all"]
