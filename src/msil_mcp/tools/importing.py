"""A document becomes stored tools: planned first against what is there, then written at once.

The same document twice changes nothing; a changed operation gets a new version; one that is gone
leaves a tombstone. Planning reads only, so a dry run is the plan shown.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import take_turn
from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Unprocessable
from msil_mcp.openapi.definitions import ToolDefinition, define_tools, definition_hash
from msil_mcp.openapi.document import Document, parse_document
from msil_mcp.openapi.errors import BaseUrlInvalid
from msil_mcp.openapi.request import checked_base
from msil_mcp.principal import Principal
from msil_mcp.tools import models
from msil_mcp.tools.plan import Change, ImportReport, ImportRequest, Plan, PlannedTool
from msil_mcp.tools.private import check_network
from msil_mcp.tools.prompts import prompts_of, stored
from msil_mcp.tools.storing import store_plan

BUNDLE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
IMPORTS: Final = 7157204
"""Number under which imports take turns."""
MAX_NAME = 64


class BadImport(Unprocessable):
    """The document is readable and still cannot be imported as asked."""

    slug = "bad_import"
    title = "Cannot import"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document read and turned into definitions, before the database is asked anything."""

    request: ImportRequest
    document: Document
    definitions: Sequence[ToolDefinition]
    verdicts: Sequence[Mapping[str, Any]]
    prompts: Sequence[Mapping[str, Any]]
    base_url: str


async def prepare_import(request: ImportRequest) -> Prepared:
    """Read the document on a thread and check where calls would go.

    Raises DocumentError, BadPrompt, BadImport or PrivateUpstream.
    """
    prepared = await asyncio.to_thread(_prepare, request)
    await check_network(prepared.base_url, allow_private=request.allow_private)
    return prepared


def _prepare(request: ImportRequest) -> Prepared:
    if not BUNDLE_NAME.fullmatch(request.bundle):
        raise BadImport(
            f"The bundle name {request.bundle!r} must be 1 to 64 of a-z 0-9 _ - "
            "and begin with a letter or digit."
        )
    document = parse_document(request.raw, source=request.source)
    imported = define_tools(document)
    if not imported.tools:
        reasons = "; ".join(sorted({verdict.reason for verdict in imported.verdicts})[:3])
        raise BadImport(f"{request.source} has no operation that can become a tool. {reasons}")
    return Prepared(
        request=request,
        document=document,
        definitions=imported.tools,
        verdicts=[msgspec.to_builtins(verdict) for verdict in imported.verdicts],
        prompts=stored(prompts_of(document, source=request.source)),
        base_url=_base_url(document, request),
    )


async def import_document(
    session: AsyncSession, prepared: Prepared, *, principal: Principal, dry_run: bool = False
) -> ImportReport:
    """Store a document and its tools in the session's transaction, or only say what would happen.

    Raises nothing of its own; the same document again changes nothing.
    """
    if not dry_run:
        # Planned against what is there, so nothing may come in between.
        await take_turn(session, IMPORTS)
    plan = await _plan(session, prepared)
    if dry_run:
        return plan.report(dry_run=True, changed=_changes(plan))
    changed = await store_plan(session, plan, principal=principal)
    if changed:
        await bump_generation(session)
    return plan.report(dry_run=False, changed=changed)


def _changes(plan: Plan) -> bool:
    return bool(plan.gone) or any(tool.change != "unchanged" for tool in plan.tools)


async def _plan(session: AsyncSession, prepared: Prepared) -> Plan:
    request, document = prepared.request, prepared.document
    name = request.spec or slug(document.title) or request.bundle
    spec = await session.scalar(select(models.Spec).where(models.Spec.name == name))
    plan = Plan(
        request=request,
        document=document,
        base_url=prepared.base_url,
        spec_name=name,
        spec=spec,
        previous=await _latest_document(session, spec),
        verdicts=list(prepared.verdicts),
        prompts=list(prepared.prompts),
    )
    await _plan_tools(session, plan, prepared.definitions)
    return plan


async def _plan_tools(
    session: AsyncSession, plan: Plan, definitions: Sequence[ToolDefinition]
) -> None:
    taken = dict((await session.execute(select(models.Tool.name, models.Tool.spec_id))).all())
    existing: dict[str, models.Tool] = {}
    hashes: dict[int, tuple[str, int]] = {}
    if plan.spec is not None:
        rows = await session.scalars(select(models.Tool).where(models.Tool.spec_id == plan.spec.id))
        existing = {row.operation_id: row for row in rows}
        hashes = await _latest_hashes(session, plan.spec.id)
    for definition in definitions:
        bundle = _bundle_of(definition, plan.request)
        row = existing.pop(definition.operation_id, None)
        final = _named(definition, row=row, taken=taken, spec=plan.spec, bundle=bundle)
        taken.setdefault(final.name, plan.spec.id if plan.spec else 0)
        digest = version_hash(final, base_url=plan.base_url, private=plan.request.allow_private)
        known, number = hashes.get(row.id, ("", 0)) if row else ("", 0)
        change = _change(row, same=known == digest)
        number = number if known == digest else number + 1
        plan.tools.append(PlannedTool(final, digest, bundle, change, number, row))
    plan.gone = [row for row in existing.values() if row.removed_at is None]


def _change(row: models.Tool | None, *, same: bool) -> Change:
    if row is None:
        return "added"
    if row.removed_at is not None:
        return "restored"
    return "unchanged" if same else "changed"


def version_hash(definition: ToolDefinition, *, base_url: str, private: bool) -> str:
    """What an approval is bound to: the visible definition, its request and where it goes."""
    parts = "\n".join((definition_hash(definition), base_url, str(private)))
    return hashlib.sha256(parts.encode()).hexdigest()


def slug(text: str) -> str:
    """A name made of a text: lower case, words joined by underscores, at most 64 characters."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:MAX_NAME]


def _bundle_of(definition: ToolDefinition, request: ImportRequest) -> str:
    if not request.by_tag or not definition.tags:
        return request.bundle
    return slug(definition.tags[0]) or request.bundle


def _named(
    definition: ToolDefinition,
    *,
    row: models.Tool | None,
    taken: Mapping[str, int],
    spec: models.Spec | None,
    bundle: str,
) -> ToolDefinition:
    """The definition under a name nobody else has; a tool keeps the name it once got."""
    if row is not None:
        return msgspec.structs.replace(definition, name=row.name)
    if definition.name not in taken:
        return definition
    candidate = f"{bundle}_{definition.name}"
    if len(candidate) > MAX_NAME or candidate in taken:
        owner = spec.name if spec else bundle
        tail = hashlib.sha256(f"{owner}/{definition.operation_id}".encode()).hexdigest()[:8]
        candidate = f"{candidate[: MAX_NAME - 9]}_{tail}"
    return msgspec.structs.replace(definition, name=candidate)


def _base_url(document: Document, request: ImportRequest) -> str:
    first = document.servers[0] if document.servers else ""
    given = request.base_url or first
    if request.source.startswith(("http://", "https://")) and not request.base_url:
        given = _joined(request.source, given or "/")
    scheme, _, rest = given.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest:
        raise BadImport(
            f"{request.source} names no absolute server URL (it says {first or 'nothing'!r}). "
            "Give one with --base-url https://host/path."
        )
    if "@" in rest.partition("/")[0]:
        host = rest.partition("/")[0].rpartition("@")[2]
        raise BadImport(
            f"{request.source}: the base URL {scheme}://{host}… must have no user or password."
        )
    try:
        return checked_base(given)
    except BaseUrlInvalid as error:
        raise BadImport(f"{request.source}: {error}") from error


def _joined(source: str, server: str) -> str:
    try:
        return urljoin(source, server)
    except ValueError:
        return server


async def _latest_document(
    session: AsyncSession, spec: models.Spec | None
) -> models.Document | None:
    if spec is None:
        return None
    query = (
        select(models.Document)
        .where(models.Document.spec_id == spec.id)
        .order_by(models.Document.number.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def _latest_hashes(session: AsyncSession, spec_id: int) -> dict[int, tuple[str, int]]:
    version, tool = models.ToolVersionRow, models.Tool
    query = (
        select(tool.id, version.hash, version.number)
        .join(version, version.id == tool.latest_version_id)
        .where(tool.spec_id == spec_id)
    )
    return {tool_id: (digest, number) for tool_id, digest, number in await session.execute(query)}
