"""Questions asked of the stored catalogue, and the few changes people make to it by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import take_turn
from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import NotFound
from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.tools import models
from msil_mcp.tools.listing import bundles_of

CHANGES: Final = 7157204
"""Number under which changes of the catalogue take turns."""


class NoSuchTool(NotFound):
    """The catalogue has no tool of this name."""

    slug = "no_such_tool"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class NoSuchBundle(NotFound):
    """The catalogue has no bundle of this name."""

    slug = "no_such_bundle"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


@dataclass(frozen=True, slots=True)
class CatalogueTool:
    """A tool as administrators see it, published or not."""

    name: str
    spec: str
    operation_id: str
    bundles: tuple[str, ...]
    version: int
    published_version: int | None
    enabled: bool
    removed_at: datetime | None
    hash: str
    base_url: str
    allow_private: bool
    created_at: datetime
    definition: ToolDefinition


@dataclass(frozen=True, slots=True)
class CatalogueBundle:
    """A bundle, how many of its tools are published, and about what all of them cost a model."""

    name: str
    title: str
    description: str
    tools: int
    published: int
    tokens: int


class Catalogue:
    """Repository over one session; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def tools(
        self, *, bundle: str | None = None, after: str = "", limit: int = 1000
    ) -> Sequence[CatalogueTool]:
        """By name, those after the given one; one more than `limit` tells of a next page."""
        query = _tools().where(models.Tool.name > after)
        if bundle is not None:
            member = models.BundleTool
            query = (
                query.join(member, member.tool_id == models.Tool.id)
                .join(models.Bundle, models.Bundle.id == member.bundle_id)
                .where(models.Bundle.name == bundle, member.excluded.is_(False))
            )
        query = query.order_by(models.Tool.name).limit(limit + 1)
        return await self._rows(query)

    async def tool(self, name: str) -> CatalogueTool:
        """One tool; NoSuchTool otherwise."""
        rows = await self._rows(_tools().where(models.Tool.name == name))
        if not rows:
            raise NoSuchTool(name)
        return rows[0]

    async def _rows(
        self, query: Select[models.Tool, models.ToolVersionRow, str, int | None]
    ) -> list[CatalogueTool]:
        found = (await self._session.execute(query)).all()
        bundles = await bundles_of(self._session, [tool.id for tool, *_ in found])
        return [
            CatalogueTool(
                name=tool.name,
                spec=spec,
                operation_id=tool.operation_id,
                bundles=bundles.get(tool.id, ()),
                version=version.number,
                published_version=published,
                enabled=tool.enabled,
                removed_at=tool.removed_at,
                hash=version.hash,
                base_url=version.base_url,
                allow_private=version.allow_private,
                created_at=version.created_at,
                definition=msgspec.json.decode(version.definition, type=ToolDefinition),
            )
            for tool, version, spec, published in found
        ]

    async def bundles(self) -> list[CatalogueBundle]:
        """Every bundle, by name."""
        bundle, member, tool = models.Bundle, models.BundleTool, models.Tool
        version = models.ToolVersionRow
        query = (
            select(
                bundle.name,
                bundle.title,
                bundle.description,
                func.count(tool.id),
                func.count(tool.published_version_id),
                func.coalesce(func.sum(version.tokens), 0),
            )
            .outerjoin(member, (member.bundle_id == bundle.id) & member.excluded.is_(False))
            .outerjoin(tool, (tool.id == member.tool_id) & tool.removed_at.is_(None))
            .outerjoin(version, version.id == tool.latest_version_id)
            .group_by(bundle.id)
            .order_by(bundle.name)
        )
        rows = (await self._session.execute(query)).all()
        return [CatalogueBundle(*row) for row in rows]

    async def publish(self, bundle: str) -> int:
        """Put the latest version of every tool of a bundle in force; returns how many changed."""
        await take_catalogue_turn(self._session)
        tool_ids = await self._tool_ids(bundle)
        changed = await self._session.execute(
            update(models.Tool)
            .where(models.Tool.id.in_(tool_ids), models.Tool.removed_at.is_(None))
            .where(models.Tool.published_version_id.is_distinct_from(models.Tool.latest_version_id))
            .values(published_version_id=models.Tool.latest_version_id)
            .returning(models.Tool.id)
        )
        return await self._bumped(len(changed.all()))

    async def withdraw(self, bundle: str) -> int:
        """Take every tool of a bundle out of force; returns how many were in force."""
        await take_catalogue_turn(self._session)
        tool_ids = await self._tool_ids(bundle)
        changed = await self._session.execute(
            update(models.Tool)
            .where(models.Tool.id.in_(tool_ids))
            .where(models.Tool.published_version_id.is_not(None))
            .values(published_version_id=None)
            .returning(models.Tool.id)
        )
        return await self._bumped(len(changed.all()))

    async def set_enabled(self, name: str, *, enabled: bool) -> int:
        """Switch one tool on or off at once; returns 1 when that changed anything."""
        await self.tool(name)
        changed = await self._session.execute(
            update(models.Tool)
            .where(models.Tool.name == name, models.Tool.enabled.is_not(enabled))
            .values(enabled=enabled)
            .returning(models.Tool.id)
        )
        return await self._bumped(len(changed.all()))

    async def _bumped(self, changed: int) -> int:
        if changed:
            await bump_generation(self._session)
        return changed

    async def _tool_ids(self, bundle: str) -> Sequence[int]:
        row = await self._session.scalar(select(models.Bundle).where(models.Bundle.name == bundle))
        if row is None:
            raise NoSuchBundle(bundle)
        member = models.BundleTool
        query = select(member.tool_id).where(member.bundle_id == row.id, member.excluded.is_(False))
        return (await self._session.scalars(query)).all()


def _tools() -> Select[models.Tool, models.ToolVersionRow, str, int | None]:
    tool, version = models.Tool, models.ToolVersionRow
    number = (
        select(models.ToolVersionRow.number)
        .where(models.ToolVersionRow.id == tool.published_version_id)
        .correlate(tool)
        .scalar_subquery()
    )
    return (
        select(tool, version, models.Spec.name, number)
        .join(version, version.id == tool.latest_version_id)
        .join(models.Spec, models.Spec.id == tool.spec_id)
    )


async def take_catalogue_turn(session: AsyncSession) -> None:
    """Wait for imports and other changes of the catalogue under way.

    Some hold many rows, and plan by what they read. Everybody raises the generation last: until
    then nobody waits who changes other configuration.
    """
    await take_turn(session, CHANGES)


async def document_source(session: AsyncSession, document_id: int) -> bytes | None:
    """A stored document, byte for byte."""
    query = select(models.Document.raw).where(models.Document.id == document_id)
    return await session.scalar(query)
