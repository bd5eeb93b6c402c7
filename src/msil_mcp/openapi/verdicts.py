"""What became of each operation, told to the person who imports."""

from typing import Literal, Self

import msgspec

from msil_mcp.openapi.errors import OperationProblem


class Note(msgspec.Struct, frozen=True):
    """Something the document says that the tool does not carry over, and what was done."""

    pointer: str
    reason: str


class Verdict(msgspec.Struct, frozen=True):
    """The fate of an operation, or one of several notes on it.

    An imported or rejected operation has exactly one verdict, a degraded one has one for each note.
    `operation` is `METHOD /path`; `tool` is empty when no tool came of it; `pointer` is a JSON
    pointer into the document; `reason` is empty for an imported operation.
    """

    outcome: Literal["imported", "degraded", "rejected"]
    operation: str
    pointer: str
    reason: str = ""
    tool: str = ""

    @classmethod
    def rejected(cls, operation: str, problem: OperationProblem) -> Self:
        """No tool came of the operation."""
        return cls(
            outcome="rejected", operation=operation, pointer=problem.pointer, reason=str(problem)
        )
