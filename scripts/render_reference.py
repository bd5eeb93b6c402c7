"""Writes the pages of docs/reference that come from the code; a test compares them with it."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import msil_mcp
from booking_api.settings import BookingSettings
from msil_mcp.errors import ERROR_BASE, MsilError
from msil_mcp.observability.metrics import GAUGES, Metrics
from msil_mcp.observability.system import SystemMonitor
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
    """Load every module, so that every error class is known; those that act are left out."""
    for module in pkgutil.walk_packages(msil_mcp.__path__, "msil_mcp."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
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
        (error.slug, error.status, error.code): error
        for error in (MsilError, *errors_below(MsilError))
        if "slug" in vars(error) and error.__module__.startswith("msil_mcp.")
    }
    rows = [
        (
            f"`{slug}`",
            str(status),
            str(code),
            error.title,
            (error.__doc__ or "").strip().splitlines()[0],
        )
        for (slug, status, code), error in sorted(errors.items())
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


def used_metrics() -> Metrics:
    """Metrics in which everything has happened once, so that every label is there."""
    metrics = Metrics(system=SystemMonitor(disk=Path()))
    metrics.record_request("GET", "/health", "200", 0.001)
    metrics.record_tool_call("resolve_vehicle", "success", 0.001)
    metrics.record_operation("tools/call", 0.001)
    metrics.record_denial("authorize")
    metrics.record_limit("principal")
    metrics.record_approval("requested")
    metrics.record_upstream("example.com", "200", 0.001)
    metrics.record_model_request(
        "gpt-4o-mini", "success", 1.0, prompt_tokens=1, completion_tokens=1, cached_tokens=1
    )
    for gauge in GAUGES:
        metrics.set_gauge_source(gauge, lambda: 0)
    return metrics


def metric_rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, type, labels and meaning of each metric that is ours."""
    for family in used_metrics().registry.collect():
        if family.name.startswith(("python_", "process_")):
            continue
        counter = family.type in {"counter", "unknown"}
        name = family.name if family.type == "histogram" else family.samples[0].name
        labels = {
            label: None for sample in family.samples for label in sample.labels if label != "le"
        }
        kind = "counter" if counter else family.type
        yield (
            f"`{name}`",
            kind,
            ", ".join(f"`{label}`" for label in labels),
            family.documentation,
        )


def metrics_page() -> str:
    """Every metric by name."""
    return (
        f"# Metrics\n\n{GENERATED}\n"
        "`GET /metrics` has them, and beside them the usual `process_*` and `python_*`. Times are\n"
        "in seconds; a histogram has `_bucket`, `_sum` and `_count`. `endpoint` is a route's\n"
        "template and `tool_name` a published tool's name, so no caller can add series.\n\n"
        + table(["Metric", "Type", "Labels", "What it counts or times"], sorted(metric_rows()))
    )


def command_sections(command: TyperCommand | TyperGroup, words: Sequence[str]) -> Iterator[str]:
    """A section for each command below, by its full name."""
    if isinstance(command, TyperGroup):
        for name, below in sorted(command.commands.items()):
            yield from command_sections(below, [*words, name])
        return
    context = Context(command, info_name=" ".join(words))
    usage = " ".join([*words, *command.collect_usage_pieces(context)])
    rows = [
        (f"`{names}`", meaning)
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and "--help" not in record[0]
        for names, meaning in [record]
    ]
    options = "\n" + table(["Option", "Meaning"], rows) if rows else ""
    yield f"## {' '.join(words)}\n\n{command.help}\n\n    {usage}\n{options}"


def cli_page() -> str:
    """Every command with its options."""
    from msil_mcp.cli import build

    sections = command_sections(get_command(build()), ["msil-mcp"])
    return f"# Command line\n\n{GENERATED}\n" + "\n".join(sections)


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
