"""What a tool returns: the schema of the first successful JSON answer, when that is an object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msil_mcp.openapi.bodies import is_json
from msil_mcp.openapi.document import Document
from msil_mcp.openapi.errors import OperationProblem
from msil_mcp.openapi.operations import MediaType, Operation, media_types
from msil_mcp.openapi.pii import PiiField, PiiFinder
from msil_mcp.openapi.references import at, follow
from msil_mcp.openapi.schemas import Translator
from msil_mcp.openapi.shapes import check_usable, is_object
from msil_mcp.openapi.verdicts import Note

OUTPUT_BUDGET = 8 * 1024


@dataclass(slots=True)
class Result:
    """The output side of a tool; a schema only when MCP can carry one."""

    schema: dict[str, Any] | None = None
    pii: list[PiiField] = field(default_factory=list)


class ResultReader:
    """Reads the results of one document's operations."""

    def __init__(self, document: Document, *, finder: PiiFinder) -> None:
        self._document = document
        self._finder = finder
        self._translator = Translator(document, direction="output")

    def read(self, operation: Operation, notes: list[Note]) -> Result:
        """The result; a tool works without its schema, so trouble here only makes notes."""
        pointer = at(operation.pointer, "responses")
        try:
            media = self._successful(operation.responses, pointer)
            if media is None:
                return Result()
            pointer = at(media.pointer, "schema")
            found: list[Note] = []
            result = Result(
                schema=self._schema(media.schema, pointer, found),
                pii=[
                    PiiField(where="output", path=at("", *path), kind=kind)
                    for path, kind in self._finder.find(media.schema, pointer=pointer)
                ],
            )
        except OperationProblem as problem:
            reason = f"the result is not described: {problem}"
            notes.append(Note(pointer=problem.pointer, reason=reason))
            return Result()
        notes += found
        return result

    def _successful(self, responses: Mapping[str, Any], pointer: str) -> MediaType | None:
        codes = sorted(code for code in responses if code.startswith("2"))
        for code in codes:
            response, place = follow(
                self._document.root, responses[code], pointer=at(pointer, code)
            )
            content = response.get("content") if isinstance(response, dict) else None
            if not isinstance(content, dict):
                continue
            for media in media_types(self._document, content, at(place, "content")):
                if is_json(media.name):
                    return media
        return None

    def _schema(self, raw: Any, pointer: str, notes: list[Note]) -> dict[str, Any] | None:
        translator = self._translator
        schema, found = translator.translate(raw, pointer=pointer)
        notes += found
        schema = translator.expanded(schema, notes)
        if isinstance(schema, bool) or not is_object(schema, definition=translator.schema_of):
            return None
        complete = translator.complete(
            {"type": "object"} | schema, notes, budget=OUTPUT_BUDGET, pointer=pointer
        )
        check_usable(complete, pointer=pointer)
        return complete
