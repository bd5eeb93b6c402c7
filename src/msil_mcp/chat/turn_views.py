"""What the routes of turns take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.chat.models import RunState
from msil_mcp.chat.session_service import HEAD
from msil_mcp.chat.turns import Ask
from msil_mcp.chat.views import Dollars, Language, MessageView, Model, ToolUseView
from msil_mcp.governance.approvals import ApprovalState
from msil_mcp.locales.views import Told
from msil_mcp.pagination import Page

Said = Annotated[str, Field(min_length=1, max_length=100_000)]
MessageId = Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$")]
ClientId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="The client's own name for the message: sent again, it is the same turn.",
    ),
]
ApprovalId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class TurnBody(BaseModel):
    """What to answer: a text, a text instead of an earlier message, or a message once more."""

    model_config = ConfigDict(extra="forbid")

    text: Said | None = None
    client_id: ClientId | None = None
    parent_id: MessageId | None = Field(
        None, description="The message to continue below. Absent: the end of the branch."
    )
    edit_id: MessageId | None = Field(None, description="The user's message this text replaces.")
    again_id: MessageId | None = Field(
        None, description="The answer to write again, or the user's message to answer again."
    )

    def ask(self) -> Ask:
        """The same for the engine."""
        return Ask(
            text=self.text,
            client_id=self.client_id,
            below=self.parent_id or HEAD,
            edits=self.edit_id,
            again=self.again_id,
        )


class TurnView(BaseModel):
    """A turn that was begun; follow it at `events`."""

    run_id: str
    session_id: str
    message_id: str
    state: RunState
    events: str


class RunSummary(BaseModel):
    """A run, and what it took."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: RunState
    user_message_id: str
    assistant_message_id: str | None
    limit_hit: str | None
    error: str | None
    model: str | None
    model_requests: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Dollars
    first_token_ms: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class AskedView(BaseModel):
    """What a person is asked in a conversation; arguments and URL are masked."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: ApprovalState = Field(validation_alias="standing")
    tool: str = Field(validation_alias="tool_name")
    sentence: Told = Field(validation_alias="request")
    arguments: dict[str, Any]
    method: str
    url: str
    expires_at: datetime


class MessagesPage(Page[MessageView]):
    """Messages, with what their parts refer to."""

    tool_uses: list[ToolUseView]
    approvals: list[AskedView]
    runs: list[RunSummary]


class DecisionBody(BaseModel):
    """What a person decided; an edit gives all arguments of the call as they should be."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "edit", "decline"]
    arguments: dict[str, Any] | None = None
    reason: str | None = Field(None, max_length=500)


class DecisionView(BaseModel):
    """The approval as it stands now; after an edit it is the new one, which is still to decide."""

    run_id: str
    approval: AskedView


class SendBody(BaseModel):
    """A message for a conversation, which is made when there is none of this id or name."""

    model_config = ConfigDict(extra="forbid")

    message: Said
    session_id: str | None = Field(
        None, min_length=1, max_length=200, description="A conversation's id, or your name for it."
    )
    client_id: ClientId | None = None
    language: Language | None = Field(None, description="Of a conversation that is made.")
    model: Model | None = None


class SendView(BaseModel):
    """How the turn ended, or what it waits for."""

    session_id: str
    run_id: str
    state: RunState
    text: str
    message: MessageView | None
    tool_calls: list[ToolUseView]
    usage: RunSummary
    approvals: list[AskedView]
