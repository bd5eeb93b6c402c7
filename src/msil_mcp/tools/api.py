"""REST routes of the catalogue, and the REST door of the invoker."""

import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from msil_mcp.db.database import Database, database_of
from msil_mcp.errors import BadRequest, NotFound
from msil_mcp.identity.administering import administering
from msil_mcp.pagination import Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult
from msil_mcp.tools.catalogue import Catalogue, CatalogueTool, NoSuchTool
from msil_mcp.tools.importing import import_document, prepare_import
from msil_mcp.tools.plan import ImportRequest
from msil_mcp.tools.snapshot import SnapshotStore
from msil_mcp.tools.version import ToolVersion

router = APIRouter(prefix="/api", tags=["tools"])

Reader = Annotated[Principal, Depends(require("tools:read"))]
Writer = Annotated[Principal, Depends(require("tools:write"))]
Caller = Annotated[Principal, Depends(require("tools:read"))]
Db = Annotated[Database, Depends(database_of)]


class ToolOut(BaseModel):
    """A tool of the catalogue; `definition` is exactly what is stored."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    description: str
    risk: str
    spec: str
    operation_id: str
    bundles: tuple[str, ...]
    version: int
    published_version: int | None
    enabled: bool
    removed_at: datetime | None
    hash: str
    base_url: str
    created_at: datetime
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None


class BundleOut(BaseModel):
    """A bundle with its counts."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    description: str
    tools: int
    published: int


class CallIn(BaseModel):
    """A call by REST; keys of `arguments` as in the tool's input schema."""

    model_config = ConfigDict(extra="forbid")

    arguments: dict[str, Any] = Field(default_factory=dict)
    approval_id: str | None = None


class ToolSwitch(BaseModel):
    """Whether the tool can be called at all."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class Changed(BaseModel):
    """How many tools a change touched."""

    changed: int


class ImportOut(BaseModel):
    """What an import did, or with `dry_run` would do."""

    model_config = ConfigDict(from_attributes=True)

    spec: str
    bundles: tuple[str, ...]
    document: int
    title: str
    api_version: str
    base_url: str
    published: bool
    dry_run: bool
    changed: bool
    tools: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]


class UnreadableUpload(BadRequest):
    """The request body holds no document."""

    slug = "unreadable_upload"
    title = "No document"

    def __init__(self) -> None:
        super().__init__("Send the OpenAPI document, JSON or YAML, as the request body.")


class NotOffered(NotFound):
    """The tool is not there for this caller."""

    slug = "unknown_tool"
    title = "Unknown tool"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no tool named {name!r} here. GET /api/tools lists yours.")


@router.get("/tools")
async def list_tools(
    principal: Reader,
    request: Request,
    database: Db,
    bundle: Annotated[str | None, Query(description="Only this bundle's tools.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ToolOut]:
    """Tools the caller may see; all of them, published or not, for those who may change them."""
    after = decode_cursor(cursor, tuple[str])[0] if cursor else ""
    if not principal.may("tools:write"):
        return _visible_page(request, principal, bundle=bundle, after=after, limit=limit)
    async with database.reading() as session:
        rows = await Catalogue(session).tools(bundle=bundle, after=after, limit=limit)
    kept, following = page_of(list(rows), limit=limit, key=lambda row: (row.name,))
    return Page(items=[_shown(row) for row in kept], next_cursor=following)


@router.get("/tools/{name}")
async def get_tool(name: str, principal: Reader, request: Request, database: Db) -> ToolOut:
    """One tool with its schemas."""
    if not principal.may("tools:write"):
        snapshot = _snapshots(request).current()
        tool = snapshot.tools.get(name)
        if tool is None or not snapshot.sees(principal, tool):
            raise NoSuchTool(name)
        return _in_force(tool)
    async with database.reading() as session:
        return _shown(await Catalogue(session).tool(name))


@router.patch("/tools/{name}")
async def switch_tool(
    name: str, switch: ToolSwitch, principal: Writer, request: Request
) -> Changed:
    """Switch a tool on or off, in every replica within a second."""
    async with administering(request, principal) as change:
        changed = await Catalogue(change.session).set_enabled(name, enabled=switch.enabled)
        change.record("tool.enabled" if switch.enabled else "tool.disabled", name)
    return Changed(changed=changed)


@router.post("/tools/{name}/call", responses={202: {"description": "A person has to agree"}})
async def call_tool(
    name: str,
    principal: Caller,
    request: Request,
    call: Annotated[CallIn, Body()],
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Call a tool through the governed invoker, like every other door."""
    tool = _snapshots(request).current().tools.get(name)
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
    return call_response(result)


def call_response(result: ToolResult) -> Response:
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
        body["confirmation"] = asdict(result.confirmation)
    headers = {"Retry-After": str(max(1, round(result.retry_after)))} if result.retry_after else {}
    return Response(
        msgspec.json.encode(body),
        status_code=result.status,
        media_type="application/json",
        headers=headers,
    )


@router.get("/bundles")
async def list_bundles(principal: Reader, request: Request, database: Db) -> list[BundleOut]:
    """Bundles; only those with a visible tool for those who may not change them."""
    async with database.reading() as session:
        rows = await Catalogue(session).bundles()
    if principal.may("tools:write"):
        return [BundleOut.model_validate(row) for row in rows]
    visible = {bundle.name for bundle in _snapshots(request).current().view(principal).bundles}
    return [BundleOut.model_validate(row) for row in rows if row.name in visible]


@router.post("/bundles/{name}/publish")
async def publish_bundle(name: str, principal: Writer, request: Request) -> Changed:
    """Put the latest version of every tool of the bundle in force."""
    async with administering(request, principal) as change:
        changed = await Catalogue(change.session).publish(name)
        change.record("bundle.published", name, tools=changed)
    return Changed(changed=changed)


@router.post("/bundles/{name}/withdraw")
async def withdraw_bundle(name: str, principal: Writer, request: Request) -> Changed:
    """Take every tool of the bundle out of force."""
    async with administering(request, principal) as change:
        changed = await Catalogue(change.session).withdraw(name)
        change.record("bundle.withdrawn", name, tools=changed)
    return Changed(changed=changed)


@router.post("/specs")
async def import_spec(
    principal: Writer,
    request: Request,
    bundle: Annotated[str, Query(description="Bundle that receives the tools.")],
    by_tag: Annotated[bool, Query(description="One bundle for each first tag.")] = False,
    base_url: Annotated[str | None, Query(description="Instead of the document's server.")] = None,
    allow_private: Annotated[bool, Query(description="The API is on a private network.")] = False,
    publish: Annotated[bool, Query(description="Put the tools in force at once.")] = False,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
) -> ImportOut:
    """Import an OpenAPI document, sent as the request body."""
    raw = await request.body()
    if not raw.strip():
        raise UnreadableUpload
    wanted = ImportRequest(
        raw=raw,
        source="upload",
        bundle=bundle,
        by_tag=by_tag,
        base_url=base_url,
        allow_private=allow_private,
        publish=publish,
    )
    prepared = await prepare_import(wanted)
    async with administering(request, principal) as change:
        report = await import_document(
            change.session, prepared, principal=principal, dry_run=dry_run
        )
        if report.changed and not dry_run:
            change.record("document.imported", report.spec, **report.summary())
    return ImportOut.model_validate(msgspec.to_builtins(report))


def _snapshots(request: Request) -> SnapshotStore:
    snapshots: SnapshotStore = request.app.state.snapshots
    return snapshots


def _visible_page(
    request: Request, principal: Principal, *, bundle: str | None, after: str, limit: int
) -> Page[ToolOut]:
    view = _snapshots(request).current().view(principal, bundle)
    tools = [tool for tool in view.tools if tool.name > after][: limit + 1]
    kept, following = page_of(tools, limit=limit, key=lambda tool: (tool.name,))
    return Page(items=[_in_force(tool) for tool in kept], next_cursor=following)


def _in_force(tool: ToolVersion) -> ToolOut:
    """A tool as its callers have it: of drafts they learn nothing."""
    return ToolOut(
        name=tool.name,
        title=tool.definition.title,
        description=tool.definition.description,
        risk=tool.definition.risk,
        spec="",
        operation_id=tool.definition.operation_id,
        bundles=tool.bundles,
        version=tool.number,
        published_version=tool.number,
        enabled=True,
        removed_at=None,
        hash=tool.hash,
        base_url=tool.base_url,
        created_at=tool.created_at,
        input_schema=tool.definition.input_schema,
        output_schema=tool.definition.output_schema,
    )


def _shown(row: CatalogueTool) -> ToolOut:
    definition = row.definition
    return ToolOut(
        name=row.name,
        title=definition.title,
        description=definition.description,
        risk=definition.risk,
        spec=row.spec,
        operation_id=row.operation_id,
        bundles=row.bundles,
        version=row.version,
        published_version=row.published_version,
        enabled=row.enabled,
        removed_at=row.removed_at,
        hash=row.hash,
        base_url=row.base_url,
        created_at=row.created_at,
        input_schema=definition.input_schema,
        output_schema=definition.output_schema,
    )
