"""Writes the pages of docs/reference that come from the code; a test compares them with it."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import msil_mcp
from booking_api.settings import BookingSettings
from msil_mcp.errors import ERROR_BASE, MsilError
from msil_mcp.settings import Settings

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
GENERATED = "<!-- Written by `make docs` from the code; edits here are lost. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def variable_of(name: str, field: FieldInfo, *, prefix: str) -> str:
    """The environment variable that sets a field."""
    match field.validation_alias:
        case AliasChoices(choices=[str(first), *_]) | str(first):
            return first
    return prefix + name.upper()


def default_of(field: FieldInfo) -> str:
    """A default as one would write it in the environment."""
    match field.default:
        case None | "" | () | {}:
            return "empty"
        case tuple(parts):
            return f"`{','.join(map(str, parts))}`"
        case float(number):
            return f"`{number:g}`"
    return f"`{field.default}`"


def settings_table(settings: type[BaseSettings]) -> str:
    """One row a variable, in the order of the class."""
    prefix = settings.model_config.get("env_prefix") or ""
    return table(
        ["Variable", "Default", "Meaning"],
        (
            (
                f"`{variable_of(name, field, prefix=prefix)}`",
                default_of(field),
                field.description or "",
            )
            for name, field in settings.model_fields.items()
        ),
    )


def settings_page() -> str:
    """Every setting of both services."""
    return (
        f"# Settings\n\n{GENERATED}\n"
        "Settings come from the environment, or from a file `.env` in the working directory;\n"
        "the environment wins. Names with a convention keep it, the rest begin with `MSIL_`.\n"
        "No secret has a default.\n\n"
        f"{settings_table(Settings)}\n"
        "## Booking service\n\n"
        "The reference upstream is a service of its own and reads its own settings.\n\n"
        f"{settings_table(BookingSettings)}"
    )


def import_rooms() -> None:
    """Load every module, so that every error class is known; migrations run only in Alembic."""
    for module in pkgutil.walk_packages(msil_mcp.__path__, "msil_mcp."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)


def errors_below(error: type[MsilError]) -> Iterator[type[MsilError]]:
    """The whole tree under an error, without it."""
    for child in error.__subclasses__():
        yield child
        yield from errors_below(child)


def errors_page() -> str:
    """Every error by slug."""
    import_rooms()
    errors = {
        error.slug: error
        for error in (MsilError, *errors_below(MsilError))
        if "slug" in vars(error) and error.__module__.startswith("msil_mcp.")
    }
    rows = [
        (
            f"`{slug}`",
            str(error.status),
            str(error.code),
            error.title,
            (error.__doc__ or "").strip().splitlines()[0],
        )
        for slug, error in sorted(errors.items())
    ]
    return (
        f"# Errors\n\n{GENERATED}\n"
        "Over HTTP an error is a problem document (RFC 9457): `type` is\n"
        f"`{ERROR_BASE}SLUG`, `code` is the slug, `detail` says what to do, and\n"
        "`correlation_id` finds the call in the log and in the audit. Over MCP a fault of the\n"
        "protocol is a JSON-RPC error with the code below; a call that was refused or failed is a\n"
        "result with `isError` and the same sentence.\n\n"
        + table(["Slug", "HTTP", "JSON-RPC", "Title", "When"], rows)
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
