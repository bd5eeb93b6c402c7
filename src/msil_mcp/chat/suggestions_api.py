"""GET /api/chat/suggestions: what one could begin a conversation with; `app.state`: `snapshots`."""

from typing import Final, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from msil_mcp.chat.api import User
from msil_mcp.tools.prompts import Prompt
from msil_mcp.tools.snapshot import SnapshotStore

router = APIRouter(prefix="/api/chat", tags=["chat"])
MOST: Final = 24


class SuggestionArgument(BaseModel):
    """A blank in a suggestion's text."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    description: str
    required: bool
    examples: tuple[str, ...]


class Suggestion(BaseModel):
    """Something to begin with; `template` has its arguments as {name}.

    `example` is the text with the first example of each, null where one has none.
    """

    name: str
    title: str
    description: str
    bundle: str
    bundle_title: str
    template: str
    arguments: list[SuggestionArgument]
    example: str | None

    @classmethod
    def of(cls, prompt: Prompt, *, bundle: str, bundle_title: str) -> Self:
        """A bundle's prompt as a card."""
        examples = {one.name: one.examples[0] for one in prompt.arguments if one.examples}
        complete = len(examples) == len(prompt.arguments)
        return cls(
            name=prompt.name,
            title=prompt.title,
            description=prompt.description,
            bundle=bundle,
            bundle_title=bundle_title,
            template=prompt.template,
            arguments=[SuggestionArgument.model_validate(one) for one in prompt.arguments],
            example=prompt.render(examples) if complete else None,
        )


@router.get("/suggestions")
async def list_suggestions(principal: User, request: Request) -> list[Suggestion]:
    """The prompts of the bundles the caller sees, by bundle."""
    snapshots: SnapshotStore = request.app.state.snapshots
    found = [
        Suggestion.of(prompt, bundle=bundle.name, bundle_title=bundle.title)
        for bundle in snapshots.current().view(principal).bundles
        for prompt in bundle.prompts
    ]
    return found[:MOST]
