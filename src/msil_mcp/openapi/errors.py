"""What can be wrong with a document, an operation of it, or the arguments of a call."""

from msil_mcp.errors import BadRequest, MsilError, Unprocessable
from msil_mcp.locales import Message

_SHOWN = 80
_LONGEST_SENTENCE = 600


def shown(text: str, *, limit: int = _SHOWN) -> str:
    """One printable line of at most `limit` characters, for quoting foreign text in a sentence."""
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


class SyntaxFault(Exception):
    """The text is not JSON or YAML this product accepts; line and column count from 1."""

    def __init__(self, problem: str, *, line: int, column: int) -> None:
        super().__init__(problem)
        self.line = line
        self.column = column


class DocumentError(MsilError):
    """The whole document cannot be used; the sentence starts with the place, as compilers do."""

    status = 422
    code = -32602
    slug = "document_invalid"

    def __init__(self, problem: str, *, source: str, place: str) -> None:
        super().__init__(
            source=shown(source, limit=200),
            place=shown(place, limit=200),
            problem=shown(problem, limit=_LONGEST_SENTENCE),
        )


class OperationProblem(Exception):
    """One operation cannot become a tool; `pointer` says where and the text why."""

    def __init__(self, reason: str, *, pointer: str) -> None:
        super().__init__(shown(reason, limit=_LONGEST_SENTENCE))
        self.pointer = pointer


class SchemaError(MsilError):
    """A JSON Schema that no validator can be compiled from."""

    status = 422
    code = -32602
    slug = "schema_invalid"

    def __init__(self, problem: str) -> None:
        super().__init__(problem=problem)


class BaseUrlInvalid(Unprocessable):
    """The address calls should go to is not a plain http or https URL."""

    slug = "base_url_invalid"

    def __init__(self, base_url: str, *, case: str) -> None:
        super().__init__(case=case, base_url=shown(base_url))


class InvalidArguments(Unprocessable):
    """The arguments do not fit the tool's input schema; `problems` holds one sentence each."""

    slug = "invalid_arguments"

    def __init__(self, problems: tuple[Message, ...]) -> None:
        super().__init__(problems=problems)
        self.problems = problems


class ArgumentRefused(BadRequest):
    """An argument cannot be sent in its place of the request, whatever the schema allows."""

    slug = "argument_refused"

    def __init__(self, argument: str, *, case: str) -> None:
        super().__init__(case=case, argument=shown(argument))
        self.argument = argument


class PathEscape(ArgumentRefused):
    """A path argument would address another path than the tool's own."""

    slug = "path_escape"


class NotCanonical(BadRequest):
    """A value has no canonical JSON form: NaN, Infinity, a lone surrogate, a foreign type."""

    slug = "not_canonical"
