"""What each caller's tools are as a model sees them, converted once a snapshot."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msil_mcp.chat.speaking import language_of_owner
from msil_mcp.llm.tools import ToolSpec, ToolTable
from msil_mcp.locales import Language
from msil_mcp.principal import Principal
from msil_mcp.tools.snapshot import SnapshotStore
from msil_mcp.tools.version import ToolVersion

KEPT: Final = 32


@dataclass(frozen=True, slots=True)
class Offer:
    """A caller's tools for a model, and as they are in force."""

    table: ToolTable
    versions: Mapping[str, ToolVersion]


class Tables:
    """The offers of the present snapshot."""

    def __init__(self, snapshots: SnapshotStore) -> None:
        self._snapshots = snapshots
        self._generation = -1
        self._offers: dict[tuple[frozenset[str], frozenset[str] | None], Offer] = {}

    def language_of(self, owner_id: str) -> Language:
        """The language a person has chosen, as far as is known; else English."""
        return language_of_owner(self._snapshots, owner_id)

    async def of(self, principal: Principal) -> Offer:
        """The visible tools; FeedStale when it cannot be said which those are."""
        snapshot = self._snapshots.current()
        if snapshot.generation != self._generation:
            self._generation, self._offers = snapshot.generation, {}
        key = (principal.roles, principal.scopes)
        found = self._offers.get(key)
        if found is None:
            found = await asyncio.to_thread(_offer, snapshot.view(principal).visible)
            if len(self._offers) >= KEPT:
                self._offers.clear()
            self._offers[key] = found
        return found


def _offer(versions: Sequence[ToolVersion]) -> Offer:
    specs = [
        ToolSpec(
            name=version.name,
            description=version.definition.description,
            input_schema=version.definition.input_schema,
        )
        for version in versions
    ]
    return Offer(ToolTable(specs), {version.name: version for version in versions})
