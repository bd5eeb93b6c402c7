"""What a tool's definition declares personal or identifying, compiled into maskers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import msgspec

from msil_mcp.audit.masking import MAX_RESULT, Masker, mask_text
from msil_mcp.openapi.definitions import ToolDefinition


@dataclass(frozen=True, slots=True)
class ToolMasks:
    """One tool's maskers."""

    arguments: Masker
    result: Masker
    declares_output: bool

    @classmethod
    def of(cls, definition: ToolDefinition, *, keep_subjects: bool = True) -> Self:
        """The maskers of a definition; subject keys stay readable where records are found by them.

        What leaves the product for good needs no such keys.
        """
        kept = definition.audit_subjects if keep_subjects else ()
        return cls(
            arguments=Masker(_declared(definition, "input"), kept),
            result=Masker(_declared(definition, "output"), kept),
            declares_output=any(field.where == "output" for field in definition.pii),
        )

    def summary(self, text: str, structured: msgspec.Raw | None) -> str:
        """A masked, short account of a result; JSON where the result is.

        Where nothing is declared of the result, its text is masked without taking it apart. Only a
        number that was hidden breaks the JSON; then it is done value by value.
        """
        if self.declares_output or structured is None or len(text) > MAX_RESULT // 2:
            return self.result.result(text, structured)
        masked = mask_text(text)
        if masked is text or _is_json(masked):
            return masked
        return self.result.result(text, structured)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _declared(
    definition: ToolDefinition, where: Literal["input", "output"]
) -> Iterable[tuple[str, str]]:
    return ((field.path, field.kind) for field in definition.pii if field.where == where)
