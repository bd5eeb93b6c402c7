"""What a caller's tools are that change nothing, as a model sees them."""

import asyncio
from collections import OrderedDict

from msil_mcp.chat.tables import KEPT, Offer, Tables
from msil_mcp.llm.tools import ToolSpec, ToolTable
from msil_mcp.principal import Principal


class ReadingTools:
    """Of each offer the part that reads, converted once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._reading: OrderedDict[int, tuple[Offer, Offer]] = OrderedDict()

    async def of(self, principal: Principal) -> Offer:
        """The caller's; FeedStale when it cannot be said which tools those are."""
        whole = await self._tables.of(principal)
        known = self._reading.get(id(whole))
        if known is not None and known[0] is whole:
            return known[1]
        reading = await asyncio.to_thread(_reads_of, whole)
        # The whole offer is kept beside its part, so that no other one can get its id.
        self._reading[id(whole)] = whole, reading
        if len(self._reading) > KEPT:
            self._reading.popitem(last=False)
        return reading


def _reads_of(whole: Offer) -> Offer:
    versions = {
        name: version
        for name, version in whole.versions.items()
        if not (version.is_write or version.needs_confirmation)
    }
    table = ToolTable(
        ToolSpec(
            name=name,
            description=version.definition.description,
            input_schema=version.definition.input_schema,
        )
        for name, version in versions.items()
    )
    return Offer(table, versions)
