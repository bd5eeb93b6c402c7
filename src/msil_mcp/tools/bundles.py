"""Bundles made and changed by hand: what they are called, hold, and suggest to begin with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Conflict
from msil_mcp.identity.tables import RoleExposure
from msil_mcp.tools import models
from msil_mcp.tools.catalogue import NoSuchBundle, NoSuchTool, take_catalogue_turn
from msil_mcp.tools.prompts import Prompt, check_prompts, loaded, stored

_bundle, _member, _tool = models.Bundle, models.BundleTool, models.Tool
CHUNK: Final = 1_000


class BundleExists(Conflict):
    """The name is taken."""

    slug = "bundle_exists"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """Everything of one bundle; `exposures` are (id, role) of the grants of just this bundle."""

    name: str
    title: str
    description: str
    tools: Sequence[str]
    published: int
    tokens: int
    specs: Sequence[str]
    prompts: Sequence[Prompt]
    prompts_edited: bool
    exposures: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Membership:
    """Which tools a change brought into a bundle and took out of it."""

    added: Sequence[str] = ()
    removed: Sequence[str] = ()


class Bundles:
    """Over one session; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create(self, name: str, *, title: str, description: str) -> models.Bundle:
        """An empty bundle; BundleExists."""
        await take_catalogue_turn(self._session)
        if await self._session.scalar(select(_bundle.id).where(_bundle.name == name)) is not None:
            raise BundleExists(name)
        bundle = models.Bundle(name=name, title=title, description=description)
        self._session.add(bundle)
        await self._session.flush()
        await bump_generation(self._session)
        return bundle

    async def change(self, name: str, given: Mapping[str, Any]) -> models.Bundle:
        """Set title, description and prompts where given; prompts of None are the documents'."""
        await take_catalogue_turn(self._session)
        bundle = await self._locked(name)
        for field in ("title", "description"):
            if given.get(field) is not None:
                setattr(bundle, field, given[field])
        if "prompts" in given:
            bundle.prompts = None if given["prompts"] is None else _checked(given["prompts"])
        await self._session.flush()
        await bump_generation(self._session)
        return bundle

    async def hold(self, bundle: models.Bundle, tools: Collection[str]) -> Membership:
        """Make the bundle hold exactly these tools; NoSuchTool."""
        wanted = await self._ids(tools)
        rows = await self._session.scalars(select(_member).where(_member.bundle_id == bundle.id))
        known = {row.tool_id: row for row in rows}
        names = await self._names([*known, *wanted.values()])
        added, removed = [], []
        for tool_id in wanted.values():
            row = known.get(tool_id)
            if row is None:
                self._session.add(models.BundleTool(bundle_id=bundle.id, tool_id=tool_id))
            elif row.excluded:
                row.excluded = False
            else:
                continue
            added.append(names[tool_id])
        for tool_id, row in known.items():
            if not row.excluded and tool_id not in set(wanted.values()):
                row.excluded = True
                removed.append(names[tool_id])
        await self._session.flush()
        return Membership(sorted(added), sorted(removed))

    async def delete(self, name: str, *, withdraw: bool) -> tuple[int, int]:
        """Remove a bundle and the grants of it; its tools stay.

        Returns how many tools are now in no bundle, and how many of these were taken out of force.
        """
        await take_catalogue_turn(self._session)
        bundle = await self._locked(name)
        held = select(_member.tool_id).where(
            _member.bundle_id == bundle.id, _member.excluded.is_(False)
        )
        elsewhere = select(_member.tool_id).where(
            _member.bundle_id != bundle.id, _member.excluded.is_(False)
        )
        orphans = (
            await self._session.scalars(
                select(_tool.id).where(
                    _tool.id.in_(held), _tool.id.not_in(elsewhere), _tool.removed_at.is_(None)
                )
            )
        ).all()
        withdrawn = await self._withdraw(orphans) if withdraw else 0
        await self._session.execute(delete(_member).where(_member.bundle_id == bundle.id))
        link = models.BundleSpec
        await self._session.execute(delete(link).where(link.bundle_id == bundle.id))
        await self._session.delete(bundle)
        await self._session.flush()
        await bump_generation(self._session)
        # A bundle of the same name made later must not be seen by those who saw this one.
        await self._session.execute(
            delete(RoleExposure).where(RoleExposure.kind == "bundle", RoleExposure.target == name)
        )
        return len(orphans), withdrawn

    async def facts(self, name: str) -> BundleFacts:
        """Everything of a bundle; NoSuchBundle."""
        bundle = await self._session.scalar(select(_bundle).where(_bundle.name == name))
        if bundle is None:
            raise NoSuchBundle(name)
        version = models.ToolVersionRow
        rows = (
            await self._session.execute(
                select(_tool.name, _tool.published_version_id, version.tokens)
                .join(_member, _member.tool_id == _tool.id)
                .join(version, version.id == _tool.latest_version_id)
                .where(_member.bundle_id == bundle.id, _member.excluded.is_(False))
                .where(_tool.removed_at.is_(None))
                .order_by(_tool.name)
            )
        ).all()
        specs, prompts = await self._documents(bundle.id)
        grants = await self._session.execute(
            select(RoleExposure.id, RoleExposure.role)
            .where(RoleExposure.kind == "bundle", RoleExposure.target == name)
            .order_by(RoleExposure.role)
        )
        return BundleFacts(
            name=bundle.name,
            title=bundle.title,
            description=bundle.description,
            tools=[tool for tool, _, _ in rows],
            published=sum(published is not None for _, published, _ in rows),
            tokens=sum(tokens for _, _, tokens in rows),
            specs=specs,
            prompts=prompts if bundle.prompts is None else loaded(bundle.prompts),
            prompts_edited=bundle.prompts is not None,
            exposures=[(row[0], row[1]) for row in grants],
        )

    async def _locked(self, name: str) -> models.Bundle:
        query = select(_bundle).where(_bundle.name == name).with_for_update()
        bundle = await self._session.scalar(query)
        if bundle is None:
            raise NoSuchBundle(name)
        return bundle

    async def _withdraw(self, tool_ids: Sequence[int]) -> int:
        changed = await self._session.execute(
            update(_tool)
            .where(_tool.id.in_(tool_ids), _tool.published_version_id.is_not(None))
            .values(published_version_id=None)
            .returning(_tool.id)
        )
        return len(changed.all())

    async def _ids(self, tools: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        wanted = list(dict.fromkeys(tools))
        for start in range(0, len(wanted), CHUNK):
            query = select(_tool.name, _tool.id).where(
                _tool.name.in_(wanted[start : start + CHUNK])
            )
            found |= {name: tool_id for name, tool_id in await self._session.execute(query)}  # noqa: C416 typed so
        for name in wanted:
            if name not in found:
                raise NoSuchTool(name)
        return found

    async def _names(self, tool_ids: Sequence[int]) -> dict[int, str]:
        names: dict[int, str] = {}
        for start in range(0, len(tool_ids), CHUNK):
            query = select(_tool.id, _tool.name).where(
                _tool.id.in_(tool_ids[start : start + CHUNK])
            )
            names |= {tool_id: name for tool_id, name in await self._session.execute(query)}  # noqa: C416 typed so
        return names

    async def _documents(self, bundle_id: int) -> tuple[list[str], list[Prompt]]:
        """The series a bundle was filled from, and the prompts of their newest documents."""
        spec, document, link = models.Spec, models.Document, models.BundleSpec
        newest = (
            select(func.max(document.number))
            .where(document.spec_id == spec.id)
            .correlate(spec)
            .scalar_subquery()
        )
        query = (
            select(spec.name, document.prompts)
            .join(link, link.spec_id == spec.id)
            .join(document, (document.spec_id == spec.id) & (document.number == newest))
            .where(link.bundle_id == bundle_id)
            .order_by(spec.id)
        )
        rows = (await self._session.execute(query)).all()
        return [name for name, _ in rows], [
            prompt for _, prompts in rows for prompt in loaded(prompts)
        ]


def _checked(prompts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Prompts as they are stored; BadPrompt."""
    found = msgspec.convert(prompts, type=tuple[Prompt, ...])
    check_prompts(found, source="body", pointer="/prompts")
    return [*stored(found)]
