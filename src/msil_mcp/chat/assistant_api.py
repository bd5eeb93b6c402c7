"""/api/chat/assistant: which model answers, said before the first word; `app.state`: `chat`."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from msil_mcp.chat.api import User
from msil_mcp.chat.runtime import Chat, chat_of

router = APIRouter(prefix="/api/chat", tags=["chat"])


class AssistantView(BaseModel):
    """The model that answers, and those the caller may choose instead, itself the first."""

    model: str
    is_scripted: bool = Field(
        description="No language model answers, but the product's own script."
    )
    models: list[str]


@router.get("/assistant")
async def read_assistant(principal: User, chat: Annotated[Chat, Depends(chat_of)]) -> AssistantView:
    """Which model answers the caller's conversations."""
    llm = chat.parts.llm
    return AssistantView(
        model=str(llm.models.default),
        is_scripted=llm.is_scripted,
        models=list(llm.models.offered(roles=principal.roles)),
    )
