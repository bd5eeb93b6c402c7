"""The small rules of the chain: authorize and validate. Each wraps the next link."""

from dataclasses import dataclass
from typing import Final

from msil_mcp.errors import Conflict, Forbidden, MsilError, NotFound
from msil_mcp.openapi.validation import InvalidArguments
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult, refused
from msil_mcp.tools.snapshot import SnapshotStore

UNKNOWN_TOOL: Final = "unknown_tool"


class UnknownTool(NotFound):
    """Not there, or not for this caller: the two look the same on purpose."""

    slug = UNKNOWN_TOOL

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class ToolChanged(Conflict):
    """The tool was replaced between the choice and the call."""

    slug = "tool_changed"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class CallerGone(Forbidden):
    """Whose conversation it is was disabled, or has lost a role, since it was begun."""

    slug = "caller_gone"


@dataclass(frozen=True, slots=True)
class Authorize:
    """Refuses what the caller may not see, by the decision that filters tools/list.

    Fails closed: a snapshot that may have missed a change refuses everything. Other doors know
    who is calling just now; a conversation goes on without its person, so that is asked again.
    """

    snapshots: SnapshotStore
    inner: ToolInvoker

    async def invoke(self, call: ToolCall) -> ToolResult:
        """Pass on a call of a visible, current tool version."""
        try:
            snapshot = self.snapshots.current()
        except MsilError as error:
            return refused(error, rule="authorize")
        if call.origin == "chat" and not snapshot.identity.still_has(call.principal):
            return refused(CallerGone(), rule="authorize")
        current = snapshot.tools.get(call.tool.name)
        if current is None or not snapshot.sees(call.principal, current):
            return refused(UnknownTool(call.tool.name), rule="authorize")
        if current.id != call.tool.id:
            return refused(ToolChanged(call.tool.name), rule="authorize")
        return await self.inner.invoke(call)


@dataclass(frozen=True, slots=True)
class Validate:
    """Refuses arguments outside the tool's input schema, saying what to change."""

    inner: ToolInvoker

    async def invoke(self, call: ToolCall) -> ToolResult:
        """Pass on a call whose arguments fit."""
        try:
            call.tool.validator.validate(call.arguments)
        except InvalidArguments as error:
            return refused(error, rule="validate")
        return await self.inner.invoke(call)
