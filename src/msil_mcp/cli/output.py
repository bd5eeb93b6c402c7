"""How every command speaks: plain lines for people, JSON for programs, one line on error."""

import asyncio
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import structlog
import typer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.errors import MsilError
from msil_mcp.settings import Settings

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def fail(sentence: str, *, code: int = 1) -> NoReturn:
    """One clear line on stderr and a non-zero exit."""
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr)
    raise typer.Exit(code)


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with a command's options over them; a bad one is named."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings().model_copy(update=given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        fail(f"{where}: {first['msg'].removeprefix('Value error, ')}", code=2)


def quiet_logging() -> None:
    """Commands speak for themselves; of the log only warnings are shown, on stderr."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine; errors become one line."""
    try:
        return asyncio.run(work)
    except MsilError as error:
        fail(str(error))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        fail(f"The database refused: {reason}. Check DATABASE_URL; `msil-mcp doctor` looks closer.")
    except OSError as error:
        fail(str(error))


def show_json(value: object) -> None:
    """A value as indented JSON."""
    print(msgspec.json.format(msgspec.json.encode(value, enc_hook=_encode), indent=2).decode())


def _encode(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be shown as JSON")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Aligned columns; `empty` says what to do when there is nothing."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        print(empty)
        return
    table = [[column.upper() for column in columns], *cells]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())


def parse_arguments(pairs: Sequence[str], *, raw: str | None) -> Mapping[str, Any]:
    """Tool arguments from `--arguments JSON` and `name=value` pairs; values may be JSON."""
    arguments: dict[str, Any] = {}
    if raw is not None:
        try:
            decoded = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            fail(f"--arguments is not JSON: {error}", code=2)
        if not isinstance(decoded, dict):
            fail("--arguments must be a JSON object", code=2)
        arguments.update(decoded)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            fail(f"{pair!r} is not name=value", code=2)
        arguments[name] = _value(value)
    return arguments


def _value(text: str) -> Any:
    """JSON booleans, objects and arrays as such; everything else stays text."""
    if text[:1] in {"{", "["} or text in {"true", "false", "null"}:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    return text
