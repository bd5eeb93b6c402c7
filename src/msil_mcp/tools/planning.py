"""What a document would change, against what is stored of it. Reads only."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from msil_mcp.openapi.definitions import ToolDefinition, definition_hash
from msil_mcp.openapi.document import Document
from msil_mcp.tools import models
from msil_mcp.tools.edits import Edits, edits_of_spec
from msil_mcp.tools.plan import Change, ImportRequest, Plan, PlannedTool

MAX_NAME: Final = 64
Selection = Collection[str] | None
"""Operation ids whose changes are wanted; None wants all but what was left out the last time."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document read and turned into definitions, before the database is asked anything."""

    request: ImportRequest
    document: Document
    definitions: Sequence[ToolDefinition]
    verdicts: Sequence[Mapping[str, Any]]
    prompts: Sequence[Mapping[str, Any]]
    base_url: str


async def make_plan(session: AsyncSession, prepared: Prepared, selection: Selection) -> Plan:
    """Compare a document with what is stored of it; nothing is written."""
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
    _leave_out(plan, selection)
    return plan


async def _plan_tools(
    session: AsyncSession, plan: Plan, definitions: Sequence[ToolDefinition]
) -> None:
    taken = dict((await session.execute(select(models.Tool.name, models.Tool.spec_id))).all())
    existing: dict[str, models.Tool] = {}
    hashes: dict[int, tuple[str, int]] = {}
    edits: Mapping[int, models.ToolEdit] = {}
    if plan.spec is not None:
        rows = await session.scalars(select(models.Tool).where(models.Tool.spec_id == plan.spec.id))
        existing = {row.operation_id: row for row in rows}
        hashes = await _latest_hashes(session, plan.spec.id)
        edits = await edits_of_spec(session, plan.spec.id)
    for definition in definitions:
        bundle = _bundle_of(definition, plan.request)
        row = existing.pop(definition.operation_id, None)
        imported = _named(definition, row=row, taken=taken, spec=plan.spec, bundle=bundle)
        edit = edits.get(row.id) if row else None
        final = Edits.of(edit).applied_to(imported)
        taken.setdefault(final.name, plan.spec.id if plan.spec else 0)
        digest = version_hash(final, base_url=plan.base_url, private=plan.request.allow_private)
        known, number = hashes.get(row.id, ("", 0)) if row else ("", 0)
        change = _change(row, same=known == digest)
        number = number if known == digest else number + 1
        plan.tools.append(PlannedTool(final, imported, digest, bundle, change, number, row, edit))
    plan.gone = [row for row in existing.values() if row.removed_at is None]


def _leave_out(plan: Plan, selection: Selection) -> None:
    """Set aside the changes that nobody wants; what is there of those tools stays as it is."""
    before = frozenset(plan.previous.excluded if plan.previous else ())

    def is_wanted(operation_id: str) -> bool:
        return operation_id not in before if selection is None else operation_id in selection

    for tool in plan.tools:
        tool.is_wanted = tool.change == "unchanged" or is_wanted(tool.definition.operation_id)
    plan.left_out = [tool for tool in plan.tools if not tool.is_wanted]
    plan.tools = [tool for tool in plan.tools if tool.is_wanted]
    plan.spared = [row for row in plan.gone if not is_wanted(row.operation_id)]
    plan.gone = [row for row in plan.gone if is_wanted(row.operation_id)]


def _change(row: models.Tool | None, *, same: bool) -> Change:
    if row is None:
        return "added"
    if row.removed_at is not None:
        return "restored"
    return "unchanged" if same else "changed"


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
        .options(defer(models.Document.raw))
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


def version_hash(definition: ToolDefinition, *, base_url: str, private: bool) -> str:
    """What an approval is bound to: the visible definition, its request and where it goes."""
    parts = "\n".join((definition_hash(definition), base_url, str(private)))
    return hashlib.sha256(parts.encode()).hexdigest()
