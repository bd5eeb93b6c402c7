"""Writes the pages of docs/reference that come from the code; a test compares them with it."""

import importlib
import pkgutil
import runpy
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import msil_mcp
from booking_api.settings import BookingSettings
from msil_mcp.audit.live import EVENT_TYPES, FACTS, EventType
from msil_mcp.chat_settings import ChatSettings
from msil_mcp.errors import ERROR_BASE, MsilError
from msil_mcp.identity_settings import IdentitySettings
from msil_mcp.main import create_app
from msil_mcp.mcp.clients import CHECKED, CLIENTS, Supports
from msil_mcp.observability.gauges import GAUGES, LABELLED_GAUGES
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.system import SystemMonitor
from msil_mcp.pages.fields import Field
from msil_mcp.pages.reference import Operation, operations_of
from msil_mcp.settings import Settings, variable_of

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
GENERATED = "<!-- Written by `make docs` from the code; edits here are lost. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


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


def settings_table(settings: type[BaseSettings], *, of: Iterable[str] | None = None) -> str:
    """One row a variable, in the order of the class; `of` names the fields, or all are meant."""
    wanted = settings.model_fields if of is None else of
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
            if name in wanted
        ),
    )


def settings_page() -> str:
    """Every setting of both services."""
    apart = ChatSettings.model_fields | IdentitySettings.model_fields
    general = [name for name in Settings.model_fields if name not in apart]
    return (
        f"# Settings\n\n{GENERATED}\n"
        "Settings come from the environment, or from a file `.env` in the working directory;\n"
        "the environment wins. Names with a convention keep it, the rest begin with `MSIL_`.\n"
        "No secret has a default. `GET /api/settings` shows what is in force and where it comes\n"
        "from.\n\n"
        f"{settings_table(Settings, of=general)}\n"
        "## Conversations\n\n"
        "[Conversations](../guides/conversations.md) says what they are about.\n\n"
        f"{settings_table(Settings, of=ChatSettings.model_fields)}\n"
        "## Signing in\n\n"
        "[Sign in with an identity provider](../guides/identity-provider.md) says how they go\n"
        "together.\n\n"
        f"{settings_table(Settings, of=IdentitySettings.model_fields)}\n"
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
    metrics.record_first_chunk("gpt-4o-mini", 0.1)
    metrics.record_model_request(
        "gpt-4o-mini", "success", 1.0,
        prompt_tokens=1, completion_tokens=1, cached_tokens=1, cost_usd=0.1,
    )  # fmt: skip
    metrics.record_job("audit.anchor", "done")
    for gauge in GAUGES:
        metrics.set_gauge_source(gauge, lambda: 0)
    for labelled in LABELLED_GAUGES:
        metrics.set_labelled_source(labelled, lambda: {"any": 0})
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
        "template and `tool_name` a published tool's name, so no caller can add series. What\n"
        "waits in the database (approvals, jobs, keys, deliveries, unknown calls) is looked at\n"
        "every ten seconds and the same at every replica: take `max()` of it, not `sum()`.\n\n"
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


def clients_page() -> str:
    """What each MCP client does with what the server offers."""
    features = [field.name for field in fields(Supports)]
    rows = [
        (
            client.title,
            client.era,
            *(getattr(client.supports, name) for name in features),
            client.basis,
            client.note,
        )
        for client in CLIENTS
    ]
    return (
        f"# MCP clients\n\n{GENERATED}\n"
        "What clients do with what this server offers, and how it is known: `tested` ones talk to\n"
        "it in the test suite, of the others it is what their makers document, as of "
        f"{CHECKED}.\n"
        "Without elicitation a write is agreed to on a page of this server, and then repeated.\n"
        "`GET /api/connect`, and the page *Connect* of the Admin UI, have each client's\n"
        "configuration with this server's addresses filled in.\n\n"
        + table(
            ["Client", "Era", *(name.replace("_", " ") for name in features), "Basis", "Note"], rows
        )
    )


def names_of(described: Sequence[Field], *, marked: bool) -> str:
    """The fields of a route in one line; `marked` sets a star at those that must be given."""
    return ", ".join(
        f"`{field.name}`" + ("*" if marked and field.required else "") for field in described
    )


def operation_rows(operations: Iterable[Operation]) -> Iterator[Sequence[str]]:
    """A row a route: what one sends, what it does, what it demands of the caller."""
    for operation in operations:
        yield (
            f"`{operation.method} {operation.path}`",
            " ".join(operation.meaning.split()),
            names_of(operation.takes, marked=True),
            names_of(operation.gives, marked=False),
            f"`{operation.permission}`" if operation.permission else "",
        )


def rest_page() -> str:
    """Every REST route, from the document the server itself gives."""
    with tempfile.TemporaryDirectory() as data:
        app = create_app(Settings(data_dir=Path(data)))
        found = operations_of(app, app.openapi())
    sections = (
        f"## {tag}\n\n"
        + table(["Route", "What it does", "Takes", "Gives", "Needs"], operation_rows(operations))
        for tag, operations in sorted(found.items())
    )
    return (
        f"# REST\n\n{GENERATED}\n"
        "A running server has the same at `/docs`, with the type and meaning of every field, and\n"
        "as `/openapi.json`, from which clients can be generated. An API key or an access token\n"
        "goes into `Authorization: Bearer …`; a page sends its session cookie. Errors are problem\n"
        "documents, listed in [Errors](errors.md). What is marked with * must be given. *Needs*\n"
        "is a permission that the caller's roles must carry; `public` asks for nothing.\n\n"
        "MCP is at `POST /mcp` and `POST /mcp/{bundle}`, with `GET` and `DELETE` for sessions of\n"
        "the earlier era: [Protocol eras](../protocol-eras.md).\n\n" + "\n".join(sections)
    )


# A type without a meaning, or the reverse, stops the writing of the page.
EVENTS: dict[EventType, str] = {
    "tool.called": "A call came as far as being tried, and ended one way or another.",
    "tool.denied": "A rule refused a call; `rule` says which.",
    "write.done": "A write succeeded; told once, not when a stored result answers.",
    "approval.requested": "A call waits for a person.",
    "approval.decided": "A person approved or declined.",
    "run.started": "An answer in a conversation began.",
    "run.succeeded": "An answer ended well.",
    "run.failed": "An answer could not be made.",
    "run.stopped": "Somebody stopped an answer, or another message withdrew its question.",
    "run.interrupted": "A server stopped or died in the middle of an answer.",
    "document.imported": "An OpenAPI document was imported.",
    "bundle.created": "A bundle was made.",
    "bundle.changed": "A bundle's names, tools or prompts were changed.",
    "bundle.deleted": "A bundle was deleted; its tools stay.",
    "bundle.published": "The newest versions of a bundle's tools came in force.",
    "bundle.withdrawn": "A bundle's tools were taken out of force.",
    "tool.published": "A version of a tool came in force.",
    "tool.withdrawn": "A tool was taken out of force.",
    "tool.enabled": "A tool was switched on.",
    "tool.disabled": "A tool was switched off in every replica.",
    "tool.edited": "A person changed a tool's texts, risk or confirmation.",
    "key.created": "An API key was made.",
    "key.rotated": "An API key got a successor.",
    "key.revoked": "An API key was revoked.",
    "user.created": "A user was made.",
    "user.changed": "A user was changed, disabled or enabled.",
    "user.password_reset": "A user's password was set by another person.",
    "role.created": "A role was made.",
    "role.changed": "A role was changed.",
    "role.deleted": "A role was deleted.",
    "exposure.granted": "A role was shown tools.",
    "exposure.removed": "A role no longer sees tools.",
    "chat.exported": "Conversations left as a file.",
    "audit.exported": "Audit records left as a file.",
}
FACT_MEANINGS: dict[str, str] = {
    "outcome": "How it ended.",
    "rule": "The rule that refused, or that asked for a person.",
    "error": "The slug of the error.",
    "origin": "The door it came in by.",
    "tool": "The tool's name.",
    "bundle": "The bundle it was called in.",
    "risk": "`read` or `write`, as the tool is classed.",
    "target": "What was changed.",
    "approval_id": "The request for agreement.",
    "execution_id": "The row that is the whole story of a call.",
    "correlation_id": "Finds the same in logs, traces and the audit trail.",
    "session_id": "The conversation.",
    "run_id": "The answer in it.",
    "upstream_status": "The HTTP status of your API.",
    "duration_ms": "How long it took.",
    "replayed": "Whether a stored result answered.",
}


def events_page() -> str:
    """Every event, and what can be in one."""
    types = [(f"`{name}`", EVENTS[name]) for name in EVENT_TYPES]
    facts = [(f"`{name}`", FACT_MEANINGS[name]) for name in FACTS]
    return (
        f"# Events\n\n{GENERATED}\n"
        "What live events and webhooks tell of:\n"
        "[Watch what happens](../guides/webhooks.md) says how to listen and what is promised.\n"
        "`GET /api/webhooks/event-types` lists the same types.\n\n"
        + table(["Type", "When"], types)
        + "\n## Data\n\n"
        "An event has of these what there is to say. Beside them `caller` is who did it (`id`,\n"
        "`kind`, `name`), `arguments` are a call's and masked, `details` are what else is on the\n"
        "record.\n\n" + table(["Field", "Meaning"], facts)
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "errors.md": errors_page,
    "rest.md": rest_page,
    "events.md": events_page,
    "metrics.md": metrics_page,
    "clients.md": clients_page,
}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render(), encoding="utf-8")
    # The chart's schema lists the settings too.
    runpy.run_path(str(Path(__file__).with_name("render_chart_schema.py")), run_name="__main__")


if __name__ == "__main__":
    main()
