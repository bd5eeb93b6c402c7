"""/api/chat/export: conversations of everybody as a file to learn from, with people's data masked.

`app.state`: `database`, `settings` and `admin_audit`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.requests import Request

from msil_mcp.chat.finetuning import MEDIA_TYPE, Examples, Wanted
from msil_mcp.chat.models import Rating
from msil_mcp.db.database import database_of
from msil_mcp.pagination import Day
from msil_mcp.principal import Principal, require
from msil_mcp.settings import Settings

router = APIRouter(prefix="/api/chat/export", tags=["chat"])
Exporter = Annotated[Principal, Depends(require("chat:export"))]


def _wanted(
    rating: Annotated[Rating, Query(description="Answers rated so.")] = "up",
    first: Annotated[
        Day | None, Query(alias="from", description="Answers from this day (UTC) on.")
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="Answers up to this day (UTC).")
    ] = None,
) -> Wanted:
    return Wanted(rating=rating, first=first, last=last)


@router.get("/finetuning", response_class=StreamingResponse)
async def export_finetuning(
    principal: Exporter, request: Request, wanted: Annotated[Wanted, Depends(_wanted)]
) -> StreamingResponse:
    """Rated answers as JSON lines for fine-tuning; that they were exported is recorded."""
    settings: Settings = request.app.state.settings
    await request.app.state.admin_audit(
        principal=principal,
        action="chat.exported",
        target="chat",
        details=wanted.facts,
        correlation_id=request.scope.get("state", {}).get("correlation_id"),
    )
    examples = Examples(
        database=database_of(request), wanted=wanted, context_tokens=settings.chat_context_tokens
    )
    return StreamingResponse(
        examples.lines(),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": 'attachment; filename="finetuning.jsonl"'},
    )
