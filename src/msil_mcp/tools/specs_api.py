"""/api/specs: the documents that were imported, and importing one in one go."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from msil_mcp.db.database import Database, database_of, translated_errors
from msil_mcp.identity.administering import administering
from msil_mcp.openapi.document import DocumentError
from msil_mcp.pagination import BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require
from msil_mcp.problems import problems
from msil_mcp.tools.details import VersionNumber
from msil_mcp.tools.documents import (
    NoSuchDocument,
    document_bytes,
    list_documents,
    list_specs,
    read_document,
)
from msil_mcp.tools.drafts_api import DOCUMENT_BODY, NoDocument, note_import
from msil_mcp.tools.import_views import DocumentDetail, DocumentLine, ImportOut, SpecLine
from msil_mcp.tools.importing import BadImport, import_document, prepare_import
from msil_mcp.tools.plan import ImportRequest
from msil_mcp.tools.private import PrivateUpstream
from msil_mcp.tools.prompts import BadPrompt

router = APIRouter(prefix="/api/specs", tags=["imports"])
Writer = Annotated[Principal, Depends(require("tools:write"))]
Db = Annotated[Database, Depends(database_of)]
SOURCE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The document",
        "content": {
            "application/json": {"schema": {"type": "string", "format": "binary"}},
            "application/yaml": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
SpecName = Annotated[str, Path(max_length=100)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", responses=problems(BadCursor))
async def list_imported(
    _: Writer, database: Db, limit: Limit = 50, cursor: Cursor = None
) -> Page[SpecLine]:
    """The documents tools come from, by name of their series, each as it was imported last."""
    after = decode_cursor(cursor, tuple[str])[0] if cursor else ""
    with translated_errors():
        async with database.reading() as session:
            rows = await list_specs(session, after=after, limit=limit)
    kept, following = page_of(rows, limit=limit, key=lambda row: (row.name,))
    return Page(items=kept, next_cursor=following)


@router.get("/{name}/documents", responses=problems(NoSuchDocument, BadCursor))
async def list_history(
    name: SpecName, _: Writer, database: Db, limit: Limit = 50, cursor: Cursor = None
) -> Page[DocumentLine]:
    """Every document of a series, the newest first."""
    before = decode_cursor(cursor, tuple[VersionNumber])[0] if cursor else None
    with translated_errors():
        async with database.reading() as session:
            rows = await list_documents(session, name, before=before, limit=limit)
    kept, following = page_of(rows, limit=limit, key=lambda row: (row.number,))
    return Page(items=kept, next_cursor=following)


@router.get("/{name}/documents/{number}", responses=problems(NoSuchDocument))
async def get_document(name: SpecName, number: Number, _: Writer, database: Db) -> DocumentDetail:
    """One document with what the import said of it, and the versions it made."""
    with translated_errors():
        async with database.reading() as session:
            return await read_document(session, name, number)


@router.get(
    "/{name}/documents/{number}/source",
    response_class=Response,
    responses=SOURCE | problems(NoSuchDocument),
)
async def download_document(name: SpecName, number: Number, _: Writer, database: Db) -> Response:
    """A document as it was imported, byte for byte."""
    with translated_errors():
        async with database.reading() as session:
            raw = await document_bytes(session, name, number)
    kind = "json" if raw.lstrip()[:1] == b"{" else "yaml"
    headers = {"Content-Disposition": f'attachment; filename="document-{number}.{kind}"'}
    return Response(raw, media_type=f"application/{kind}", headers=headers)


@router.post(
    "",
    openapi_extra=DOCUMENT_BODY,
    responses=problems(NoDocument, BadImport, BadPrompt, DocumentError, PrivateUpstream),
)
async def import_spec(
    principal: Writer,
    request: Request,
    bundle: Annotated[str, Query(description="Bundle that receives the tools.")],
    spec: Annotated[
        str | None, Query(max_length=100, description="Name of the series; else of the title.")
    ] = None,
    by_tag: Annotated[bool, Query(description="One bundle for each first tag.")] = False,
    base_url: Annotated[str | None, Query(description="Instead of the document's server.")] = None,
    allow_private: Annotated[bool, Query(description="The API is on a private network.")] = False,
    publish: Annotated[bool, Query(description="Put the tools in force at once.")] = False,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
) -> ImportOut:
    """Import an OpenAPI document, sent as the request body, with all that is not left out."""
    raw = await request.body()
    if not raw.strip():
        raise NoDocument
    prepared = await prepare_import(
        ImportRequest(
            raw=raw,
            source="upload",
            bundle=bundle,
            spec=spec,
            by_tag=by_tag,
            base_url=base_url,
            allow_private=allow_private,
            publish=publish,
        )
    )
    async with administering(request, principal) as change:
        report = await import_document(
            change.session, prepared, principal=principal, dry_run=dry_run
        )
        note_import(change, report, allow_private=allow_private)
    return ImportOut.model_validate(msgspec.to_builtins(report))
