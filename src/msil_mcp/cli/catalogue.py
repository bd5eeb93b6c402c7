"""Commands of the catalogue: import, tools, bundles."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from msil_mcp.cli.database import Desk, desk
from msil_mcp.cli.output import (
    AsJson,
    fail,
    load_settings,
    parse_arguments,
    run,
    show_json,
    show_table,
)
from msil_mcp.egress import Egress
from msil_mcp.errors import MsilError
from msil_mcp.governance.rules import UnknownTool
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.observability.context import new_correlation_id
from msil_mcp.services import running
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolCall, ToolResult
from msil_mcp.tools.catalogue import Catalogue
from msil_mcp.tools.importing import import_document, prepare_import
from msil_mcp.tools.plan import ImportReport, ImportRequest

tools = typer.Typer(help="Tools of the catalogue.", no_args_is_help=True)
bundles = typer.Typer(help="Bundles of tools.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("import")(import_spec)
    app.add_typer(tools, name="tools")
    app.add_typer(bundles, name="bundles")


def import_spec(
    spec: Annotated[str, typer.Argument(help="OpenAPI document: a file, a URL, or - for stdin.")],
    bundle: Annotated[str, typer.Option(help="Bundle that receives the tools.")],
    by: Annotated[str, typer.Option(help="`tag`: one bundle for each first tag.")] = "",
    base_url: Annotated[
        str | None, typer.Option(help="Where the API is, instead of the document's server.")
    ] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="The API is on a private network.")
    ] = False,
    publish: Annotated[bool, typer.Option("--publish", help="Put the tools in force.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the document series; default: from its title.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import an OpenAPI document as tools."""
    if by not in {"", "tag"}:
        fail("--by knows only `tag`", code=2)
    settings = load_settings()

    async def work() -> ImportReport:
        raw = await _read(spec, settings=settings)
        request = ImportRequest(
            raw=raw,
            source=spec if spec != "-" else "stdin",
            bundle=bundle,
            spec=name,
            by_tag=by == "tag",
            base_url=base_url,
            allow_private=allow_private,
            publish=publish,
        )
        async with desk(settings) as at:
            return await import_at(at, request, dry_run=dry_run)

    report = run(work())
    if as_json:
        show_json(report)
    else:
        _show_report(report)


async def import_at(at: Desk, request: ImportRequest, *, dry_run: bool = False) -> ImportReport:
    """Import in one transaction and leave an audit record."""
    prepared = await prepare_import(request)
    async with at.database.unit_of_work() as session:
        report = await import_document(session, prepared, principal=at.principal, dry_run=dry_run)
    if report.changed and not dry_run:
        await at.record(
            "document.imported",
            target=report.spec,
            details=report.summary() | {"allow_private": request.allow_private},
        )
        for published in report.bundles_published:
            await at.record("bundle.published", target=published, details={"document": report.spec})
    return report


async def _read(spec: str, *, settings: Settings) -> bytes:
    if spec == "-":
        return sys.stdin.buffer.read()
    if not spec.startswith(("http://", "https://")):
        return await asyncio.to_thread(_read_file, spec)
    egress = Egress(settings)
    await egress.start()
    try:
        # The operator typed this address, so it may be inside the network.
        answer = await egress.fetch(spec, purpose="document", allow_private=True)
    except MsilError as error:
        fail(f"{spec}: {error}")
    else:
        return answer.body
    finally:
        await egress.close()


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror or error}")


def _show_report(report: ImportReport) -> None:
    print(f"{report.title} {report.api_version} -> {report.base_url}")
    rows = [(t.name, t.risk, t.bundle, f"v{t.version}", t.change) for t in report.tools]
    show_table(("tool", "class", "bundle", "version", "change"), rows, empty="No tools.")
    for verdict in report.verdicts:
        if verdict["outcome"] != "imported":
            print(f"{verdict['outcome']}: {verdict['pointer']}: {verdict['reason']}")
    if report.dry_run:
        print("Nothing was stored: this was a dry run.")
    elif not report.changed:
        print("Nothing changed: the document is the one already imported.")
    elif report.published:
        print("In force now; running servers see it within a second.")
    else:
        print(
            f"Stored as drafts. Put them in force with: msil-mcp bundles publish "
            f"{report.bundles[0]}"
        )


@tools.command("list")
def list_tools(
    bundle: Annotated[str | None, typer.Option(help="Only this bundle's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the tools of the catalogue."""

    async def work() -> list[dict[str, Any]]:
        async with desk(load_settings()) as at, at.database.reading() as session:
            rows = await Catalogue(session).tools(bundle=bundle, limit=100_000)
        return [
            {
                "name": row.name,
                "class": row.definition.risk,
                "bundles": list(row.bundles),
                "version": row.version,
                "published": row.published_version,
                "enabled": row.enabled,
                "removed": row.removed_at is not None,
                "title": row.definition.title,
            }
            for row in rows
        ]

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("name", "class", "bundles", "version", "state", "title"),
        [
            (r["name"], r["class"], ",".join(r["bundles"]), r["version"], _state(r), r["title"])
            for r in rows
        ],
        empty="No tools yet. Bring some with: msil-mcp import openapi.json --bundle NAME --publish",
    )


def _state(row: Mapping[str, Any]) -> str:
    if row["removed"]:
        return "removed"
    if not row["enabled"]:
        return "off"
    if row["published"] is None:
        return "draft"
    return "in force" if row["published"] == row["version"] else f"v{row['published']} in force"


@tools.command("show")
def show_tool(name: Name, as_json: AsJson = False) -> None:
    """Show one tool: what the model sees, and where a call goes."""

    async def work() -> dict[str, Any]:
        async with desk(load_settings()) as at, at.database.reading() as session:
            row = await Catalogue(session).tool(name)
        shown: dict[str, Any] = msgspec.to_builtins(row.definition)
        return shown | {
            "bundles": list(row.bundles),
            "version": row.version,
            "published_version": row.published_version,
            "base_url": row.base_url,
            "hash": row.hash,
        }

    tool = run(work())
    if as_json:
        show_json(tool)
        return
    request = tool["request"]
    print(f"{tool['name']}  v{tool['version']}  {tool['risk']}\n{tool['title']}\n")
    print(tool["description"] + "\n")
    print(f"{request['method']} {tool['base_url']}{request['path']}")
    print(f"bundles: {', '.join(tool['bundles'])}   hash: {tool['hash'][:16]}…")
    print("input schema:")
    show_json(tool["input_schema"])


@tools.command("call")
def call_tool(
    name: Name,
    pairs: Annotated[list[str] | None, typer.Argument(help="Arguments as name=value.")] = None,
    arguments: Annotated[str | None, typer.Option(help="All arguments as a JSON object.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key.")] = None,
    approval: Annotated[str | None, typer.Option(help="Approval that was given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Call a tool through the governed invoker."""
    given = parse_arguments(pairs or [], raw=arguments)

    async def work() -> ToolResult:
        settings = load_settings()
        async with running(settings, serving=False) as services:
            tool = services.snapshots.current().tools.get(name)
            if tool is None:
                raise UnknownTool(name)
            call = ToolCall(
                principal=cli_principal(),
                tool=tool,
                arguments=given,
                origin="batch",
                correlation_id=new_correlation_id(),
                deadline=time.monotonic() + settings.call_timeout_seconds,
                idempotency_key=key,
                approval_id=approval,
            )
            return await services.invoker.invoke(call)

    result = run(work())
    if as_json:
        show_json({"outcome": result.outcome, "error": result.error, "text": result.text})
    elif result.confirmation is not None:
        print(result.confirmation.request)
        print(f"Agree with: msil-mcp approvals approve {result.confirmation.approval_id}")
        print("Then repeat the same command.")
    elif result.is_error:
        fail(result.text)
    else:
        print(result.text)
    if result.is_error:
        raise typer.Exit(1)


@tools.command("enable")
def enable_tool(name: Name) -> None:
    """Let a tool be called again."""
    _switch(name, enabled=True)


@tools.command("disable")
def disable_tool(name: Name) -> None:
    """Stop a tool everywhere within a second."""
    _switch(name, enabled=False)


def _switch(name: str, *, enabled: bool) -> None:
    async def work() -> int:
        async with desk(load_settings()) as at:
            async with at.database.unit_of_work() as session:
                changed = await Catalogue(session).set_enabled(name, enabled=enabled)
            await at.record("tool.enabled" if enabled else "tool.disabled", target=name, details={})
            return changed

    state = "on" if enabled else "off"
    print(f"{name} is {state}." if run(work()) else f"{name} was {state} already.")


@bundles.command("list")
def list_bundles(as_json: AsJson = False) -> None:
    """List the bundles."""

    async def work() -> list[dict[str, Any]]:
        async with desk(load_settings()) as at, at.database.reading() as session:
            return [msgspec.to_builtins(row) for row in await Catalogue(session).bundles()]

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("name", "tools", "in force", "title"),
        [(r["name"], r["tools"], r["published"], r["title"]) for r in rows],
        empty="No bundles yet. Make one with: msil-mcp import openapi.json --bundle NAME",
    )


@bundles.command("publish")
def publish_bundle(name: Name) -> None:
    """Put the latest version of every tool of a bundle in force."""
    changed = _change_bundle(name, publish=True)
    print(f"{changed} tools of {name} came into force.")


@bundles.command("withdraw")
def withdraw_bundle(name: Name) -> None:
    """Take every tool of a bundle out of force."""
    changed = _change_bundle(name, publish=False)
    print(f"{changed} tools of {name} are out of force.")


def _change_bundle(name: str, *, publish: bool) -> int:
    async def work() -> int:
        async with desk(load_settings()) as at:
            async with at.database.unit_of_work() as session:
                catalogue = Catalogue(session)
                changed = await (catalogue.publish(name) if publish else catalogue.withdraw(name))
            action = "bundle.published" if publish else "bundle.withdrawn"
            await at.record(action, target=name, details={"tools": changed})
            return changed

    return run(work())
