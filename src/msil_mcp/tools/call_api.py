"""POST /api/tools/{name}/call: the REST door of the invoker."""

import time
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.errors import NotFound
from msil_mcp.locales import Language, language_of
from msil_mcp.locales.views import in_language
from msil_mcp.principal import Principal, require
from msil_mcp.problems import Problem
from msil_mcp.tools.call import Outcome, ToolCall, ToolInvoker, ToolResult
from msil_mcp.tools.snapshot import SnapshotStore

router = APIRouter(prefix="/api/tools", tags=["tools"])
Caller = Annotated[Principal, Depends(require("tools:read"))]


class CallIn(BaseModel):
    """A call by REST; keys of `arguments` as in the tool's input schema."""

    model_config = ConfigDict(extra="forbid")

    arguments: dict[str, Any] = Field(default_factory=dict)
    approval_id: str | None = None


class ConfirmationOut(BaseModel):
    """What a person is asked before a call happens; everything in it is masked."""

    approval_id: str
    tool: str
    sentence: str
    arguments: dict[str, Any]
    method: str
    url: str
    expires_at: datetime
    page: str


class CallOut(BaseModel):
    """What came of a call; `structured` where the upstream answered JSON, `error` is a slug."""

    outcome: Outcome
    text: str
    execution_id: str | None
    replayed: bool
    truncated: bool
    structured: Any = None
    error: str | None = None
    upstream_status: int | None = None
    confirmation: ConfirmationOut | None = None


class NotOffered(NotFound):
    """The tool is not there for this caller."""

    slug = "unknown_tool"

    def __init__(self, name: str) -> None:
        super().__init__(case="rest", name=name)


@router.post(
    "/{name}/call",
    response_model=CallOut,
    responses={
        202: {"model": CallOut, "description": "A person has to agree"},
        404: {"model": Problem, "description": NotOffered.title},
        "4XX": {"model": CallOut | Problem, "description": "Refused"},
        "5XX": {"model": CallOut | Problem, "description": "Failed"},
    },
)
async def call_tool(
    name: str,
    principal: Caller,
    request: Request,
    call: Annotated[CallIn, Body()],
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Call a tool through the governed invoker, like every other door."""
    snapshots: SnapshotStore = request.app.state.snapshots
    tool = snapshots.current().tools.get(name)
    if tool is None:
        raise NotOffered(name)
    settings = request.app.state.settings
    invoker: ToolInvoker = request.app.state.invoker
    result = await invoker.invoke(
        ToolCall(
            principal=principal,
            tool=tool,
            arguments=call.arguments,
            origin="rest",
            correlation_id=request.scope["state"]["correlation_id"],
            deadline=time.monotonic() + settings.call_timeout_seconds,
            idempotency_key=idempotency_key,
            approval_id=call.approval_id,
        )
    )
    if result.error == NotOffered.slug:
        # As if it were not there: whoever may not see a tool must not learn that it exists.
        raise NotOffered(name)
    return call_response(result, language=language_of(request.scope))


def call_response(result: ToolResult, *, language: Language) -> Response:
    """The HTTP answer for a result: 200, 202 with the approval, or the refusal's status."""
    body: dict[str, Any] = {
        "outcome": result.outcome,
        "text": result.text,
        "execution_id": result.execution_id,
        "replayed": result.replayed,
        "truncated": result.truncated,
    }
    if result.structured is not None:
        body["structured"] = result.structured
    if result.error is not None:
        body["error"] = result.error
        body["upstream_status"] = result.upstream_status
    if result.confirmation is not None:
        body["confirmation"] = result.confirmation.shown(language)
    headers = {"Retry-After": str(max(1, round(result.retry_after)))} if result.retry_after else {}
    if result.confirmation is not None:
        headers |= in_language(language)
    return Response(
        msgspec.json.encode(body),
        status_code=result.status,
        media_type="application/json",
        headers=headers,
    )
