"""The caller's tools as the agent has them: offered by relevance, called through the invoker.

Imported on first use only, because it imports the model libraries.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, ToolFailed
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema
from typing_extensions import override

from msil_mcp.chat.calling import Calls
from msil_mcp.llm.history import tool_definition
from msil_mcp.llm.tools import MOST_TOOLS, ToolTable
from msil_mcp.tools.version import ToolVersion

# Only that it is an object: what is in it the invoker checks, and says what to change.
_OBJECT: Final = SchemaValidator(
    core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
)
CORRECTIONS: Final = 3


class GovernedTools(AbstractToolset[object]):
    """At most 128 tools a request: those used in the conversation, then the most relevant."""

    def __init__(
        self,
        *,
        table: ToolTable,
        versions: Mapping[str, ToolVersion],
        calls: Calls,
        conversation: str,
        used: tuple[str, ...],
    ) -> None:
        self._table = table
        self._versions = versions
        self._calls = calls
        self._conversation = conversation
        self._used = dict.fromkeys(used)

    @property
    @override
    def id(self) -> str:
        return "governed"

    @override
    async def get_tools(self, ctx: RunContext[object]) -> dict[str, ToolsetTool[object]]:
        offered = self._table.offer(
            conversation=self._conversation, used=tuple(self._used), most=MOST_TOOLS
        )
        return {
            tool.name: ToolsetTool(
                toolset=self,
                tool_def=tool_definition(tool),
                max_retries=CORRECTIONS,
                args_validator=_OBJECT,
            )
            for tool in offered
        }

    @override
    async def call_tool(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[object],
        tool: ToolsetTool[object],
    ) -> str:
        known = self._table.tool(name)
        version = None if known is None else self._versions.get(known.own_name)
        if known is None or version is None or ctx.tool_call_id is None:
            raise ToolFailed(f"There is no tool named {name!r} here.")
        self._used[known.own_name] = None
        arguments = known.own_arguments(tool_args)
        result = await self._calls.make(ctx.tool_call_id, version, arguments)
        if result.outcome == "needs_confirmation":
            raise ApprovalRequired
        if result.is_error:
            raise ToolFailed(result.text)
        return result.text
