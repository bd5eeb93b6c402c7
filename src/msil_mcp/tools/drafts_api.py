"""/api/imports: look at what an import would do, choose, then import.

A document comes as the body, or a job fetches it from a URL. `app.state`: `database` and `bus`.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request

from msil_mcp.bus import Bus
from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.errors import BadRequest
from msil_mcp.identity.administering import Administration, administering
from msil_mcp.jobs import announce
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.tools.drafting import import_draft, prepare_draft, request_reading
from msil_mcp.tools.drafts import (
    DraftNotReady,
    DraftOutdated,
    ImportDraft,
    NoSuchDraft,
    UnknownOperations,
    find_draft,
    new_draft,
)
from msil_mcp.tools.import_views import (
    Address,
    BundleName,
    DraftImport,
    DraftOptions,
    DraftPatch,
    DraftProgress,
    DraftView,
    ImportOut,
    SpecName,
)
from msil_mcp.tools.plan import ImportReport

router = APIRouter(prefix="/api/imports", tags=["imports"])
Writer = Annotated[Principal, Depends(require("tools:write"))]
Db = Annotated[Database, Depends(database_of)]
DraftId = Annotated[str, Path(max_length=40)]
DOCUMENT_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The OpenAPI document, JSON or YAML; nothing when `url` names it.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class NoDocument(BadRequest):
    """Neither a document nor where to find one."""

    slug = "unreadable_upload"


def _options(
    bundle: Annotated[BundleName, Query(description="Bundle that receives the tools.")],
    spec: Annotated[
        SpecName | None, Query(description="Name of the series; by default of the title.")
    ] = None,
    by_tag: Annotated[bool, Query(description="One bundle for each first tag.")] = False,
    base_url: Annotated[
        Address | None, Query(description="Instead of the document's server.")
    ] = None,
    allow_private: Annotated[
        bool, Query(description="The API, and the URL, are on a private network.")
    ] = False,
) -> DraftOptions:
    return DraftOptions(
        bundle=bundle, spec=spec, by_tag=by_tag, base_url=base_url, allow_private=allow_private
    )


@router.post("", status_code=202, openapi_extra=DOCUMENT_BODY, responses=problems(NoDocument))
async def create_draft(
    principal: Writer,
    request: Request,
    options: Annotated[DraftOptions, Depends(_options)],
    url: Annotated[
        Address | None, Query(pattern="^https?://", description="Where the document is.")
    ] = None,
    filename: Annotated[str | None, Query(max_length=200)] = None,
) -> DraftView:
    """Bring a document to be looked at; it is read in the background, so ask for the draft."""
    raw = await request.body()
    if bool(raw.strip()) == bool(url):
        raise NoDocument
    draft = new_draft(
        source=url or filename or "upload",
        options=options.model_dump(),
        raw=raw or None,
        by=principal.id,
    )
    async with administering(request, principal) as change:
        change.session.add(draft)
        await request_reading(change.session, draft)
        change.record(
            "document.drafted",
            draft.id,
            source=draft.source,
            allow_private=options.allow_private,
        )
    await announce(bus_of(request))
    return view_of(draft)


@router.get("/{draft_id}", responses=problems(NoSuchDraft))
async def read_draft(draft_id: DraftId, _: Writer, database: Db) -> DraftView:
    """How far reading is, and then what the import would do."""
    with translated_errors():
        async with database.reading() as session:
            return view_of(await find_draft(session, draft_id))


@router.patch("/{draft_id}", responses=problems(NoSuchDraft, DraftNotReady))
async def change_draft(
    draft_id: DraftId, patch: DraftPatch, principal: Writer, request: Request
) -> DraftView:
    """Import in another way, or see whether the catalogue has changed: read the document again."""
    async with administering(request, principal) as change:
        draft = await find_draft(change.session, draft_id, for_update=True)
        if draft.state == "imported":
            raise DraftNotReady(draft.state)
        draft.options = _changed(draft.options, patch)
        draft.reading += 1
        draft.state, draft.stage, draft.done, draft.total = "reading", "waiting", 0, 0
        draft.error = draft.plan = draft.signature = None
        await request_reading(change.session, draft)
        change.record("document.draft_changed", draft.id, **draft.options)
    await announce(bus_of(request))
    return view_of(draft)


@router.post(
    "/{draft_id}/apply",
    responses=problems(NoSuchDraft, DraftNotReady, DraftOutdated, UnknownOperations),
)
async def apply_draft(
    draft_id: DraftId, body: DraftImport, principal: Writer, request: Request, database: Db
) -> ImportOut:
    """Import what was shown, and of it what was chosen; nothing if that would be something else."""
    with translated_errors():
        prepared = await prepare_draft(database, draft_id, publish=body.publish)
    async with administering(request, principal) as change:
        report = await import_draft(
            change.session, draft_id, prepared, selection=body.select, principal=principal
        )
        note_import(change, report, allow_private=prepared.request.allow_private)
    return ImportOut.model_validate(msgspec.to_builtins(report))


@router.delete("/{draft_id}", status_code=204, responses=problems(NoSuchDraft))
async def delete_draft(draft_id: DraftId, principal: Writer, request: Request) -> None:
    """Take a draft back."""
    async with administering(request, principal) as change:
        await change.session.delete(await find_draft(change.session, draft_id))
        change.record("document.draft_deleted", draft_id)


def note_import(change: Administration, report: ImportReport, *, allow_private: bool) -> None:
    """Record what an import did, if it did anything, and whether it may reach inside addresses."""
    if not report.changed or report.dry_run:
        return
    change.record("document.imported", report.spec, **report.summary(), allow_private=allow_private)
    for published in report.bundles_published:
        change.record("bundle.published", published, document=report.spec)


def bus_of(request: Request) -> Bus:
    """The application's bus."""
    bus: Bus = request.app.state.bus
    return bus


def view_of(draft: ImportDraft) -> DraftView:
    """A draft as its looker sees it."""
    return DraftView.model_validate(
        {
            "id": draft.id,
            "state": draft.state,
            "source": draft.source,
            "options": draft.options,
            "progress": DraftProgress.model_validate(draft),
            "error": draft.error,
            "plan": None if draft.plan is None else msgspec.json.decode(draft.plan),
            "created_by": draft.created_by,
            "created_at": draft.created_at,
            "expires_at": draft.expires_at,
        }
    )


def _changed(options: Any, patch: DraftPatch) -> dict[str, Any]:
    given = patch.model_dump(exclude_unset=True)
    clears = {"spec", "base_url"}
    return dict(options) | {
        name: value for name, value in given.items() if value is not None or name in clears
    }
