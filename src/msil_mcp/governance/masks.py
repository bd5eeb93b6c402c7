"""What a tool's definition declares personal or identifying, compiled into maskers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from msil_mcp.audit.masking import Masker
from msil_mcp.openapi.definitions import ToolDefinition


@dataclass(frozen=True, slots=True)
class ToolMasks:
    """One tool's maskers; subject keys stay readable, so that records can be found by them."""

    arguments: Masker
    result: Masker

    @classmethod
    def of(cls, definition: ToolDefinition) -> Self:
        """The maskers of a definition."""
        return cls(
            arguments=Masker(_declared(definition, "input"), definition.audit_subjects),
            result=Masker(_declared(definition, "output"), definition.audit_subjects),
        )


def _declared(
    definition: ToolDefinition, where: Literal["input", "output"]
) -> Iterable[tuple[str, str]]:
    return ((field.path, field.kind) for field in definition.pii if field.where == where)
