"""From stored rows to what a snapshot holds: compiled tool versions and described bundles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.tools import models
from msil_mcp.tools.prompts import Prompt, loaded
from msil_mcp.tools.version import ToolVersion


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A bundle as callers see it; `documents` are (spec name, document id) pairs."""

    name: str
    title: str
    description: str
    tool_bits: int
    documents: tuple[tuple[str, int], ...] = ()
    prompts: tuple[Prompt, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueRows:
    """Everything in force, as stored."""

    tools: Sequence[tuple[models.Tool, models.ToolVersionRow]]
    bundles: Sequence[models.Bundle]
    members: Sequence[tuple[int, int]]
    documents: Sequence[tuple[int, str, int, list[dict[str, object]]]]


async def read_catalogue(session: AsyncSession) -> CatalogueRows:
    """Read it all, once for each generation."""
    tool, version, member = models.Tool, models.ToolVersionRow, models.BundleTool
    document, spec, link = models.Document, models.Spec, models.BundleSpec
    published = (
        select(tool, version)
        .join(version, version.id == tool.published_version_id)
        .where(tool.enabled, tool.removed_at.is_(None))
        .order_by(tool.name)
    )
    documents = (
        select(link.bundle_id, spec.name, document.id, document.prompts)
        .join(spec, spec.id == link.spec_id)
        .join(document, document.spec_id == spec.id)
        .order_by(link.bundle_id, spec.id, document.number)
    )
    return CatalogueRows(
        tools=[(row[0], row[1]) for row in await session.execute(published)],
        bundles=(await session.scalars(select(models.Bundle).order_by(models.Bundle.name))).all(),
        members=[
            (row[0], row[1])
            for row in await session.execute(
                select(member.bundle_id, member.tool_id).where(member.excluded.is_(False))
            )
        ],
        documents=[(row[0], row[1], row[2], row[3]) for row in await session.execute(documents)],
    )


def bundle_names(rows: CatalogueRows) -> dict[int, tuple[str, ...]]:
    """For each tool the bundles it is in."""
    by_id = {bundle.id: bundle.name for bundle in rows.bundles}
    names: dict[int, tuple[str, ...]] = {}
    for bundle_id, tool_id in sorted(rows.members):
        names[tool_id] = (*names.get(tool_id, ()), by_id[bundle_id])
    return names


def bundle_infos(rows: CatalogueRows, tools: Mapping[str, ToolVersion]) -> dict[str, BundleInfo]:
    """Bundles as callers see them, with the documents in force."""
    live = {tool.tool_id for tool in tools.values()}
    bits: dict[int, int] = {}
    for bundle_id, tool_id in rows.members:
        if tool_id in live:
            bits[bundle_id] = bits.get(bundle_id, 0) | 1 << tool_id
    # Ordered by document number: the last of each series is the one in force.
    latest = {(bundle, spec): (number, prompts) for bundle, spec, number, prompts in rows.documents}
    infos: dict[str, BundleInfo] = {}
    for bundle in rows.bundles:
        own = {spec: value for (owner, spec), value in latest.items() if owner == bundle.id}
        infos[bundle.name] = BundleInfo(
            name=bundle.name,
            title=bundle.title,
            description=bundle.description,
            tool_bits=bits.get(bundle.id, 0),
            documents=tuple((spec, number) for spec, (number, _) in own.items()),
            prompts=loaded(bundle.prompts)
            if bundle.prompts is not None
            else tuple(prompt for _, raw in own.values() for prompt in loaded(raw)),
        )
    return infos


def compile_version(
    tool: models.Tool, version: models.ToolVersionRow, *, bundles: tuple[str, ...]
) -> ToolVersion:
    """A stored version as the snapshot holds it; raises for one that could not be called."""
    made = ToolVersion(
        id=version.id,
        tool_id=tool.id,
        index=tool.id,
        name=tool.name,
        number=version.number,
        hash=version.hash,
        bundles=bundles,
        source=version.definition.encode(),
        base_url=version.base_url,
        allow_private=version.allow_private,
        created_at=version.created_at,
    )
    made.check()
    return made
