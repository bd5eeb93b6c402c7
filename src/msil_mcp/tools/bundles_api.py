"""/api/bundles: sets of tools that are offered together."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.identity.administering import administering
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.tools.bundles import BundleExists, BundleFacts, Bundles, Membership
from msil_mcp.tools.catalogue import Catalogue, NoSuchBundle, NoSuchTool
from msil_mcp.tools.import_views import BundleName
from msil_mcp.tools.prompts import BadPrompt
from msil_mcp.tools.snapshot import SnapshotStore
from msil_mcp.tools.views import Body, BundleOut, Changed, View

router = APIRouter(prefix="/api/bundles", tags=["bundles"])
Reader = Annotated[Principal, Depends(require("tools:read"))]
Writer = Annotated[Principal, Depends(require("tools:write"))]
Db = Annotated[Database, Depends(database_of)]
Name = Annotated[str, Path(max_length=64)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=4_000)]
ToolNames = Annotated[list[str], Field(max_length=20_000)]


class PromptArgumentView(View):
    """A blank in a prompt's text."""

    name: str = Field(min_length=1, max_length=64)
    description: str = Field("", max_length=500)
    required: bool = False
    examples: list[str] = Field(default_factory=list, max_length=20)


class PromptView(View):
    """A conversation starter; `template` has its arguments as {name}."""

    name: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)
    template: str = Field(min_length=1, max_length=4_000)
    description: str = Field("", max_length=500)
    arguments: list[PromptArgumentView] = Field(default_factory=list, max_length=20)


class BundleGrant(BaseModel):
    """An exposure of just this bundle to a role."""

    exposure_id: int
    role: str


class BundleDetail(BaseModel):
    """Everything of a bundle; roles that see all tools see it too and are not listed here.

    `tokens` is about what a model pays that is shown all of it. `tools` are names: the list of
    tools has the rest.
    """

    name: str
    title: str
    description: str
    tools: list[str]
    published: int
    tokens: int
    specs: list[str]
    prompts: list[PromptView]
    prompts_edited: bool
    exposures: list[BundleGrant]


class BundleBody(Body):
    """A bundle to make."""

    name: BundleName
    title: Title
    description: Description = ""
    tools: ToolNames = Field(default_factory=list)
    prompts: Annotated[list[PromptView], Field(max_length=50)] | None = None


class BundlePatch(Body):
    """What to change; what is absent stays. Prompts of null are those of the documents again."""

    title: Title | None = None
    description: Description | None = None
    tools: ToolNames | None = None
    prompts: Annotated[list[PromptView], Field(max_length=50)] | None = None


class BundleChanged(BaseModel):
    """A bundle as it is now, and the tools that came and went."""

    bundle: BundleDetail
    added: list[str]
    removed: list[str]


class BundleDeleted(BaseModel):
    """What is left of a bundle: tools that are now in none, and those taken out of force."""

    tools_without_bundle: int
    withdrawn: int


@router.get("")
async def list_bundles(principal: Reader, request: Request, database: Db) -> list[BundleOut]:
    """Bundles; only those with a visible tool for those who may not change them."""
    with translated_errors():
        async with database.reading() as session:
            rows = await Catalogue(session).bundles()
    if principal.may("tools:write"):
        return [BundleOut.model_validate(row) for row in rows]
    snapshots: SnapshotStore = request.app.state.snapshots
    visible = {bundle.name for bundle in snapshots.current().view(principal).bundles}
    return [BundleOut.model_validate(row) for row in rows if row.name in visible]


@router.post("", status_code=201, responses=problems(BundleExists, NoSuchTool, BadPrompt))
async def create_bundle(body: BundleBody, principal: Writer, request: Request) -> BundleChanged:
    """Make a bundle by hand, of tools that are there."""
    async with administering(request, principal) as change:
        bundles = Bundles(change.session)
        await bundles.create(body.name, title=body.title, description=body.description)
        given = body.model_dump(include={"prompts"}, exclude_none=True)
        moved = await bundles.hold(await bundles.change(body.name, given), body.tools)
        change.record("bundle.created", body.name, tools=len(moved.added))
        return _changed(await bundles.facts(body.name), moved)


@router.get("/{name}", responses=problems(NoSuchBundle))
async def get_bundle(name: Name, _: Writer, database: Db) -> BundleDetail:
    """One bundle: its tools, prompts, documents, and the roles it is shown to."""
    with translated_errors():
        async with database.reading() as session:
            return _detail(await Bundles(session).facts(name))


@router.patch("/{name}", responses=problems(NoSuchBundle, NoSuchTool, BadPrompt))
async def change_bundle(
    name: Name, body: BundlePatch, principal: Writer, request: Request
) -> BundleChanged:
    """Change what a bundle is called, holds or suggests; imports keep what was changed here."""
    given = body.model_dump(exclude_unset=True, exclude={"tools"})
    async with administering(request, principal) as change:
        bundles = Bundles(change.session)
        bundle, moved = await bundles.change(name, given), Membership()
        if body.tools is not None:
            moved = await bundles.hold(bundle, body.tools)
        change.record(
            "bundle.changed", name, changed=sorted(given), added=moved.added, removed=moved.removed
        )
        return _changed(await bundles.facts(name), moved)


@router.delete("/{name}", responses=problems(NoSuchBundle))
async def delete_bundle(
    name: Name,
    principal: Writer,
    request: Request,
    tools: Annotated[
        Literal["keep", "withdraw"],
        Query(description="What becomes of tools that are in no other bundle."),
    ] = "keep",
) -> BundleDeleted:
    """Remove a bundle and the grants of it; its tools stay in the catalogue."""
    async with administering(request, principal) as change:
        left, withdrawn = await Bundles(change.session).delete(name, withdraw=tools == "withdraw")
        change.record("bundle.deleted", name, tools_without_bundle=left, withdrawn=withdrawn)
    return BundleDeleted(tools_without_bundle=left, withdrawn=withdrawn)


@router.post("/{name}/publish", responses=problems(NoSuchBundle))
async def publish_bundle(name: Name, principal: Writer, request: Request) -> Changed:
    """Put the latest version of every tool of the bundle in force."""
    async with administering(request, principal) as change:
        changed = await Catalogue(change.session).publish(name)
        change.record("bundle.published", name, tools=changed)
    return Changed(changed=changed)


@router.post("/{name}/withdraw", responses=problems(NoSuchBundle))
async def withdraw_bundle(name: Name, principal: Writer, request: Request) -> Changed:
    """Take every tool of the bundle out of force."""
    async with administering(request, principal) as change:
        changed = await Catalogue(change.session).withdraw(name)
        change.record("bundle.withdrawn", name, tools=changed)
    return Changed(changed=changed)


def _detail(facts: BundleFacts) -> BundleDetail:
    return BundleDetail(
        name=facts.name,
        title=facts.title,
        description=facts.description,
        tools=list(facts.tools),
        published=facts.published,
        tokens=facts.tokens,
        specs=list(facts.specs),
        prompts=[PromptView.model_validate(prompt) for prompt in facts.prompts],
        prompts_edited=facts.prompts_edited,
        exposures=[BundleGrant(exposure_id=number, role=role) for number, role in facts.exposures],
    )


def _changed(facts: BundleFacts, moved: Membership) -> BundleChanged:
    return BundleChanged(
        bundle=_detail(facts), added=list(moved.added), removed=list(moved.removed)
    )
