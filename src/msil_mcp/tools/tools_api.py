"""/api/tools: the list, one tool with its versions and who sees it, and changes by hand."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.errors import BadRequest
from msil_mcp.identity.administering import administering
from msil_mcp.openapi.definitions import Risk
from msil_mcp.pagination import BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.tools.catalogue import NoSuchTool
from msil_mcp.tools.changing import change_by_hand
from msil_mcp.tools.details import VersionNumber, Versions, detail_in_force, stored_detail
from msil_mcp.tools.editing import Editing, NoSuchVersion, ToolRemoved
from msil_mcp.tools.edits import EDITABLE
from msil_mcp.tools.listing import ToolFilters, ToolListing, ToolOrder, ToolState, sort_key
from msil_mcp.tools.sight import NobodyThere, principal_sight, tool_sight
from msil_mcp.tools.snapshot import Snapshot, SnapshotStore
from msil_mcp.tools.views import (
    Changed,
    DifferenceView,
    PrincipalVisibility,
    PublishBody,
    ToolChanged,
    ToolDetail,
    ToolLine,
    ToolPage,
    ToolPatch,
    ToolVisibility,
    VersionDifferences,
    VersionLine,
)

router = APIRouter(prefix="/api/tools", tags=["tools"])
LONGEST_LIST: Final = 1_000
LARGEST: Final = 2**31 - 1

Reader = Annotated[Principal, Depends(require("tools:read"))]
Writer = Annotated[Principal, Depends(require("tools:write"))]
UserAdmin = Annotated[Principal, Depends(require("users:manage"))]
KeyAdmin = Annotated[Principal, Depends(require("keys:manage"))]
Db = Annotated[Database, Depends(database_of)]
ToolName = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=LARGEST)]


class NothingToChange(BadRequest):
    """A change was asked for that names nothing to change."""

    slug = "nothing_to_change"

    def __init__(self) -> None:
        super().__init__(fields=", ".join(EDITABLE))


def snapshot_of(request: Request) -> Snapshot:
    """What is in force now."""
    snapshots: SnapshotStore = request.app.state.snapshots
    return snapshots.current()


def _seen_by(snapshot: Snapshot, principal: Principal) -> set[int]:
    return {tool.tool_id for tool in snapshot.view(principal).tools}


def _holder_of(role: str) -> Principal:
    """Somebody with this role and nothing else."""
    return Principal(
        id=f"role:{role}",
        kind="system",
        name=role,
        roles=frozenset({role}),
        permissions=frozenset(),
    )


def _filters(
    q: Annotated[
        str | None,
        Query(max_length=200, description="Words that occur in names, titles, texts and paths."),
    ] = None,
    bundle: Annotated[str | None, Query(max_length=64, description="Only this bundle's.")] = None,
    spec: Annotated[str | None, Query(max_length=100, description="Only this document's.")] = None,
    risk: Risk | None = None,
    state: ToolState | None = None,
    edited: Annotated[bool | None, Query(description="Only those edited by hand, or not.")] = None,
) -> ToolFilters:
    return ToolFilters(search=q, bundle=bundle, spec=spec, risk=risk, state=state, edited=edited)


@router.get("", responses=problems(BadCursor))
async def list_tools(
    principal: Reader,
    request: Request,
    database: Db,
    wanted: Annotated[ToolFilters, Depends(_filters)],
    role: Annotated[
        str | None,
        Query(max_length=64, description="What this role sees; for those who may change tools."),
    ] = None,
    sort: Annotated[ToolOrder, Query(description="A minus turns the order round.")] = "name",
    limit: Annotated[int, Query(ge=1, le=LONGEST_LIST, description="Items on a page.")] = 50,
    cursor: Cursor = None,
) -> ToolPage:
    """Tools the caller may see; all of them, in force or not, for those who may change them."""
    may_change = principal.may("tools:write")
    in_force = None
    if not may_change:
        in_force = _seen_by(snapshot_of(request), principal)
        wanted = replace(wanted, spec=None, edited=None)
    elif role is not None:
        in_force = _seen_by(snapshot_of(request), _holder_of(role))
    with translated_errors():
        async with database.reading() as session:
            listing = ToolListing(session, in_force=in_force)
            found = await listing.page(wanted, order=sort, cursor=cursor, limit=limit)
    kept, following = page_of(found.rows, limit=limit, key=lambda row: sort_key(row, sort))
    lines = [ToolLine.model_validate(row) for row in kept]
    if not may_change:
        hidden = {"spec": None, "edited": None, "state": "published"}
        lines = [line.model_copy(update=hidden) for line in lines]
    return ToolPage(items=lines, next_cursor=following, total=found.total)


@router.get("/{name}", responses=problems(NoSuchTool))
async def get_tool(name: ToolName, principal: Reader, request: Request, database: Db) -> ToolDetail:
    """One tool: exactly what models see, where a call goes, what people edited."""
    if not principal.may("tools:write"):
        snapshot = snapshot_of(request)
        tool = snapshot.tools.get(name)
        if tool is None or not snapshot.sees(principal, tool):
            raise NoSuchTool(name)
        return detail_in_force(tool)
    with translated_errors():
        async with database.reading() as session:
            return await stored_detail(session, name)


@router.patch("/{name}", responses=problems(NothingToChange, NoSuchTool, ToolRemoved))
async def change_tool(
    name: ToolName,
    patch: ToolPatch,
    principal: Writer,
    request: Request,
    dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
) -> ToolChanged:
    """Edit a tool's texts, risk or confirmation, or switch it on or off in every replica."""
    given = patch.model_dump(exclude_unset=True, exclude={"publish"})
    if not given or given == {"enabled": None}:
        raise NothingToChange
    async with administering(request, principal) as change:
        done = await change_by_hand(
            change.session, name, given, publish=patch.publish, by=principal, dry_run=dry_run
        )
        for action, details in done.records:
            change.record(action, name, **details)
    return ToolChanged(
        changed=done.changed,
        dry_run=dry_run,
        tool=done.detail,
        differences=[DifferenceView.model_validate(one) for one in done.differences],
    )


@router.put("/{name}/published", responses=problems(NoSuchTool, NoSuchVersion, ToolRemoved))
async def publish_tool(
    name: ToolName, body: PublishBody, principal: Writer, request: Request
) -> Changed:
    """Put one version of a tool in force, also an earlier one, or take the tool out of force."""
    async with administering(request, principal) as change:
        editing = Editing(change.session, by=principal)
        tool = await editing.tool(name, at_once=body.version is None)
        changed = await editing.publish(tool, body.version)
        if changed:
            action = "tool.withdrawn" if body.version is None else "tool.published"
            change.record(action, name, version=body.version)
    return Changed(changed=int(changed))


@router.get("/{name}/versions", responses=problems(NoSuchTool, BadCursor))
async def list_versions(
    name: ToolName, _: Writer, database: Db, limit: Limit = 50, cursor: Cursor = None
) -> Page[VersionLine]:
    """A tool's versions, the newest first."""
    before = decode_cursor(cursor, tuple[VersionNumber])[0] if cursor else None
    with translated_errors():
        async with database.reading() as session:
            rows = await (await Versions.of(session, name)).page(before=before, limit=limit)
    kept, following = page_of(rows, limit=limit, key=lambda row: (row.number,))
    return Page(items=kept, next_cursor=following)


@router.get("/{name}/versions/{number}/differences", responses=problems(NoSuchTool, NoSuchVersion))
async def compare_versions(
    name: ToolName,
    number: Number,
    _: Writer,
    database: Db,
    since: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="By default the version before.")
    ] = None,
) -> VersionDifferences:
    """What changed in a version, place by place, and what that means for callers."""
    with translated_errors():
        async with database.reading() as session:
            versions = await Versions.of(session, name)
            earlier, found = await versions.differences(number, since=since)
    return VersionDifferences(
        since=earlier,
        version=number,
        differences=[DifferenceView.model_validate(one) for one in found],
    )


@router.get("/{name}/visibility", responses=problems(NoSuchTool))
async def read_visibility(
    name: ToolName, _: Writer, request: Request, database: Db
) -> ToolVisibility:
    """Which roles see a tool, and by which exposures."""
    with translated_errors():
        async with database.reading() as session:
            return await tool_sight(session, snapshot_of(request), name)


@router.get("/{name}/visibility/users/{user_id}", responses=problems(NoSuchTool, NobodyThere))
async def read_user_visibility(
    name: ToolName, user_id: Number, _: UserAdmin, request: Request, database: Db
) -> PrincipalVisibility:
    """Whether a user sees a tool, and why or why not."""
    with translated_errors():
        async with database.reading() as session:
            found = snapshot_of(request)
            return await principal_sight(session, found, name, kind="user", id_=user_id)


@router.get("/{name}/visibility/keys/{key_id}", responses=problems(NoSuchTool, NobodyThere))
async def read_key_visibility(
    name: ToolName, key_id: Number, _: KeyAdmin, request: Request, database: Db
) -> PrincipalVisibility:
    """Whether an API key sees a tool, and why or why not."""
    with translated_errors():
        async with database.reading() as session:
            found = snapshot_of(request)
            return await principal_sight(session, found, name, kind="key", id_=key_id)
