"""The documents that were imported: the newest of each series, and its history."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from msil_mcp.errors import NotFound
from msil_mcp.tools import models
from msil_mcp.tools.import_views import (
    DocumentDetail,
    DocumentLine,
    DocumentTool,
    SpecLine,
    VerdictView,
)

_spec, _document, _tool = models.Spec, models.Document, models.Tool


class NoSuchDocument(NotFound):
    """There is no such series, or no such document in it."""

    slug = "no_such_document"

    def __init__(self, name: str, number: int | None = None) -> None:
        if number is None:
            super().__init__(case="series", name=name)
        else:
            super().__init__(case="number", name=name, number=number)


async def list_specs(session: AsyncSession, *, after: str, limit: int) -> Sequence[SpecLine]:
    """Series by name, one more than asked for."""
    newest = (
        select(_document.spec_id, func.max(_document.number).label("number"))
        .group_by(_document.spec_id)
        .subquery()
    )
    query = (
        select(_spec.id, _spec.name, _document)
        .join(newest, newest.c.spec_id == _spec.id)
        .join(
            _document,
            (_document.spec_id == _spec.id) & (_document.number == newest.c.number),
        )
        .where(_spec.name > after)
        .order_by(_spec.name)
        .limit(limit + 1)
        .options(defer(_document.raw), defer(_document.report), defer(_document.prompts))
    )
    rows = (await session.execute(query)).all()
    ids = [spec_id for spec_id, _, _ in rows]
    counts = await _counts(session, ids)
    bundles = await _bundles(session, ids)
    return [
        SpecLine(
            name=name,
            title=document.title,
            api_version=document.api_version,
            openapi_version=document.openapi_version,
            source=document.source,
            document=document.number,
            imported_at=document.imported_at,
            imported_by=document.imported_by,
            tools=counts.get(spec_id, (0, 0, 0))[0],
            published=counts.get(spec_id, (0, 0, 0))[1],
            removed=counts.get(spec_id, (0, 0, 0))[2],
            bundles=bundles.get(spec_id, []),
        )
        for spec_id, name, document in rows
    ]


async def _counts(session: AsyncSession, ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """For each series its tools, those in force and those taken away."""
    here = _tool.removed_at.is_(None)
    query = (
        select(
            _tool.spec_id,
            func.count().filter(here),
            func.count(_tool.published_version_id).filter(here),
            func.count().filter(~here),
        )
        .where(_tool.spec_id.in_(ids))
        .group_by(_tool.spec_id)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in await session.execute(query)}


async def _bundles(session: AsyncSession, ids: Sequence[int]) -> dict[int, list[str]]:
    link = models.BundleSpec
    query = (
        select(link.spec_id, models.Bundle.name)
        .join(models.Bundle, models.Bundle.id == link.bundle_id)
        .where(link.spec_id.in_(ids))
        .order_by(models.Bundle.name)
    )
    found: dict[int, list[str]] = {}
    for spec_id, name in await session.execute(query):
        found.setdefault(spec_id, []).append(name)
    return found


async def list_documents(
    session: AsyncSession, name: str, *, before: int | None, limit: int
) -> Sequence[DocumentLine]:
    """A series' documents, the newest first, one more than asked for."""
    if await session.scalar(select(_spec.id).where(_spec.name == name)) is None:
        raise NoSuchDocument(name)
    query = _lines().where(_spec.name == name).order_by(_document.number.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(_document.number < before)
    return [_line(document, size) for document, size in await session.execute(query)]


async def read_document(session: AsyncSession, name: str, number: int) -> DocumentDetail:
    """One document, what was said of it and the versions it made; NoSuchDocument."""
    query = _lines().where(_spec.name == name, _document.number == number)
    found = (await session.execute(query)).first()
    if found is None:
        raise NoSuchDocument(name, number)
    document, size = found
    row = models.ToolVersionRow
    made = await session.execute(
        select(_tool.name, row.number)
        .join(_tool, _tool.id == row.tool_id)
        .where(row.document_id == document.id)
        .order_by(_tool.name, row.number)
    )
    return DocumentDetail(
        **_line(document, size).model_dump(),
        excluded=document.excluded,
        verdicts=[VerdictView.model_validate(verdict) for verdict in document.report],
        versions=[DocumentTool(name=tool, version=version) for tool, version in made],
    )


async def document_bytes(session: AsyncSession, name: str, number: int) -> bytes:
    """A document as it was imported, byte for byte; NoSuchDocument."""
    query = (
        select(_document.raw)
        .join(_spec, _spec.id == _document.spec_id)
        .where(_spec.name == name, _document.number == number)
    )
    raw = await session.scalar(query)
    if raw is None:
        raise NoSuchDocument(name, number)
    return raw


def _lines() -> Select[models.Document, int]:
    return (
        select(_document, func.length(_document.raw))
        .join(_spec, _spec.id == _document.spec_id)
        .options(defer(_document.raw), defer(_document.prompts))
    )


def _line(document: models.Document, size: int) -> DocumentLine:
    return DocumentLine(
        number=document.number,
        title=document.title,
        api_version=document.api_version,
        openapi_version=document.openapi_version,
        source=document.source,
        sha256=document.sha256,
        size=size,
        imported_at=document.imported_at,
        imported_by=document.imported_by,
    )
