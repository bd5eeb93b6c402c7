"""Changing one tool by hand: its texts and risk, whether it can be called, what is in force."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Conflict, NotFound
from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.principal import Principal
from msil_mcp.tools import models
from msil_mcp.tools.catalogue import NoSuchTool, take_catalogue_turn
from msil_mcp.tools.differences import Difference, differences
from msil_mcp.tools.edits import Edits, store_edits
from msil_mcp.tools.facts import facts_of
from msil_mcp.tools.planning import version_hash


class NoSuchVersion(NotFound):
    """The tool has no version of this number."""

    slug = "no_such_version"

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name=name, number=number)


class ToolRemoved(Conflict):
    """The document does not have the tool any more."""

    slug = "tool_removed"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit did or would do to the definition."""

    before: ToolDefinition
    after: ToolDefinition
    version: models.ToolVersionRow

    @property
    def changed(self) -> bool:
        """Whether callers would notice."""
        return self.before != self.after

    @property
    def differences(self) -> list[Difference]:
        """Every place in which the definition changes."""
        return differences(self.before, self.after)


class Editing:
    """Over one session that holds a transaction; never commits."""

    def __init__(self, session: AsyncSession, *, by: Principal) -> None:
        self._session = session
        self._by = by

    async def tool(self, name: str, *, at_once: bool = False) -> models.Tool:
        """The tool, locked; NoSuchTool. `at_once` is for what no import has a say in.

        An import plans by the versions it finds, so a new one must not come in between.
        """
        if not at_once:
            await take_catalogue_turn(self._session)
        query = select(models.Tool).where(models.Tool.name == name)
        # Somebody may put it into a bundle meanwhile, and holds the generation then.
        query = query.with_for_update(key_share=True)
        tool = await self._session.scalar(query)
        if tool is None:
            raise NoSuchTool(name)
        return tool

    async def edits(self, tool: models.Tool) -> Edits:
        """What people have changed of it."""
        return Edits.of(await self._session.get(models.ToolEdit, tool.id))

    async def edit(self, tool: models.Tool, edits: Edits, *, dry_run: bool) -> Edited:
        """Make a version of what the document says and these edits; none where that is the same."""
        if tool.removed_at is not None:
            raise ToolRemoved(tool.name)
        latest = await self._latest(tool)
        before = msgspec.json.decode(latest.definition, type=ToolDefinition)
        row = await self._session.get(models.ToolEdit, tool.id)
        imported = before if row is None else msgspec.json.decode(row.imported, type=ToolDefinition)
        edited = Edited(before, edits.applied_to(imported), latest)
        if dry_run:
            return edited
        await store_edits(self._session, tool, edits, imported=imported, by=self._by.id)
        if edited.changed:
            await self._add_version(tool, latest, edited.after)
        return edited

    async def publish(self, tool: models.Tool, number: int | None) -> bool:
        """Put a version in force, any that there is, or none; whether that changed anything."""
        version_id = None
        if number is not None:
            if tool.removed_at is not None:
                raise ToolRemoved(tool.name)
            row = models.ToolVersionRow
            query = select(row.id).where(row.tool_id == tool.id, row.number == number)
            version_id = await self._session.scalar(query)
            if version_id is None:
                raise NoSuchVersion(tool.name, number)
        if tool.published_version_id == version_id:
            return False
        tool.published_version_id = version_id
        await bump_generation(self._session)
        return True

    async def latest_number(self, tool: models.Tool) -> int:
        """The number of the newest version."""
        return (await self._latest(tool)).number

    async def _latest(self, tool: models.Tool) -> models.ToolVersionRow:
        row = models.ToolVersionRow
        query = select(row).where(row.id == tool.latest_version_id)
        return (await self._session.scalars(query)).one()

    async def _add_version(
        self, tool: models.Tool, latest: models.ToolVersionRow, definition: ToolDefinition
    ) -> None:
        row = models.ToolVersionRow
        highest = await self._session.scalar(
            select(func.max(row.number)).where(row.tool_id == tool.id)
        )
        version = models.ToolVersionRow(
            tool_id=tool.id,
            number=(highest or 0) + 1,
            hash=version_hash(definition, base_url=latest.base_url, private=latest.allow_private),
            **facts_of(definition),
            base_url=latest.base_url,
            allow_private=latest.allow_private,
            document_id=latest.document_id,
            created_by=self._by.id,
        )
        self._session.add(version)
        await self._session.flush()
        tool.latest_version_id = version.id
