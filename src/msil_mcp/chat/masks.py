"""What leaves a conversation is masked: what tools declare personal, and what looks it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import override

from msil_mcp.audit.masking import Masker, mask_text
from msil_mcp.chat.executions import ToolUse
from msil_mcp.chat.hiding import Hiding
from msil_mcp.governance.masks import ToolMasks
from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.tools.models import Tool, ToolVersionRow

_BY_LOOKS: Final = Masker()


class ConversationMasks:
    """Masks for the tools of a conversation, loaded as they turn up."""

    def __init__(self, *, keep_subjects: bool = True) -> None:
        self._keep_subjects = keep_subjects
        self._versions: dict[int, ToolMasks] = {}
        self._names: dict[str, ToolMasks] = {}

    async def expect(
        self, session: AsyncSession, *, versions: Iterable[int], names: Iterable[str]
    ) -> None:
        """Load what these versions declare, and the newest versions of tools by name."""
        unknown = set(versions) - self._versions.keys()
        if unknown:
            query = select(ToolVersionRow.id, ToolVersionRow.definition)
            for version, definition in await session.execute(
                query.where(ToolVersionRow.id.in_(unknown))
            ):
                self._versions[version] = self._masks(definition)
        unnamed = set(names) - self._names.keys()
        if unnamed:
            latest = select(Tool.name, ToolVersionRow.definition).join(
                ToolVersionRow, ToolVersionRow.id == Tool.latest_version_id
            )
            for name, definition in await session.execute(latest.where(Tool.name.in_(unnamed))):
                self._names[name] = self._masks(definition)

    def text(self, text: str) -> str:
        """What was said."""
        return mask_text(text)

    def arguments(
        self, tool: str, arguments: Mapping[str, Any] | None, use: ToolUse | None
    ) -> dict[str, Any] | None:
        """A call's arguments; `use` tells which version of the tool they were for."""
        if arguments is None:
            return None
        masks = self._of(tool, use)
        masked: dict[str, Any] = (masks.arguments if masks else _BY_LOOKS).mask(arguments)
        return masked

    def result(self, tool: str, result: Any, use: ToolUse | None) -> Any:
        """What a call answered."""
        masks = self._of(tool, use)
        return (masks.result if masks else _BY_LOOKS).mask(result)

    def _of(self, tool: str, use: ToolUse | None) -> ToolMasks | None:
        if use is not None and use.tool_version_id in self._versions:
            return self._versions[use.tool_version_id]
        return self._names.get(tool)

    def _masks(self, definition: str) -> ToolMasks:
        decoded = msgspec.json.decode(definition, type=ToolDefinition)
        return ToolMasks.of(decoded, keep_subjects=self._keep_subjects)


class ConversationVeil(ConversationMasks):
    """The masks of one conversation, which also hide where it is said what its calls declare."""

    def __init__(self) -> None:
        super().__init__()
        self._hiding = Hiding()

    def learn(
        self,
        tool: str,
        *,
        arguments: Mapping[str, Any] | None = None,
        result: Any = None,
        use: ToolUse | None = None,
    ) -> None:
        """What a call was given, or what it answered."""
        self._hiding.note(arguments, super().arguments(tool, arguments, use))
        self._hiding.note(result, super().result(tool, result, use))

    @override
    def text(self, text: str) -> str:
        return super().text(self._hiding.hide(text))

    @override
    def arguments(
        self, tool: str, arguments: Mapping[str, Any] | None, use: ToolUse | None
    ) -> dict[str, Any] | None:
        masked = super().arguments(tool, arguments, use)
        hidden: dict[str, Any] | None = self._hiding.hide(masked)
        return hidden

    @override
    def result(self, tool: str, result: Any, use: ToolUse | None) -> Any:
        return self._hiding.hide(super().result(tool, result, use))
