"""Commands of people who answer for the system: approvals and audit."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from msil_mcp.audit.export import Format, export_records
from msil_mcp.audit.retention import Pruned
from msil_mcp.audit.search import AuditRecords, Filters
from msil_mcp.audit.verify import Verification
from msil_mcp.audit.views import RecordView, view_of
from msil_mcp.cli.database import desk
from msil_mcp.cli.output import AsJson, fail, load_settings, run, show_json, show_table
from msil_mcp.db.database import utc_now
from msil_mcp.governance.api import ApprovalOut, approval_lines
from msil_mcp.governance.approvals import Approval, Approvals, shown
from msil_mcp.governance.inbox import Inbox, InboxFilters

approvals = typer.Typer(help="Writes that wait for a person.", no_args_is_help=True)
audit = typer.Typer(help="The trail of what happened.", no_args_is_help=True)
Reason = Annotated[str | None, typer.Option(help="Told to whoever asked.")]
ApprovalId = Annotated[str, typer.Argument(help="Its id, as listed.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(approvals, name="approvals")
    app.add_typer(audit, name="audit")


@approvals.command("list")
def list_approvals(
    everything: Annotated[bool, typer.Option("--all", help="Also answered ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the requests that wait."""
    settings = load_settings()

    async def work() -> list[ApprovalOut]:
        async with desk(settings) as at:
            wanted = InboxFilters(state=None if everything else "pending")
            async with at.database.reading() as session:
                inbox = Inbox(session, principal=at.principal)
                rows = await inbox.page(wanted, before=None, limit=200)
                return await approval_lines(session, rows, principal=at.principal)

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("id", "state", "asked by", "what", "arguments"),
        [
            (
                r.id,
                r.state,
                r.principal_name,
                r.tool_name,
                msgspec.json.encode(r.arguments).decode(),
            )
            for r in rows
        ],
        empty="Nothing waits for approval.",
    )


@approvals.command("approve")
def approve(approval_id: ApprovalId, reason: Reason = None) -> None:
    """Agree to one call; the caller then repeats it."""
    print(f"Approved: {_decide(approval_id, accepted=True, reason=reason).request}")


@approvals.command("decline")
def decline(approval_id: ApprovalId, reason: Reason = None) -> None:
    """Refuse one call."""
    print(f"Declined: {_decide(approval_id, accepted=False, reason=reason).request}")


def _decide(approval_id: str, *, accepted: bool, reason: str | None) -> Approval:
    settings = load_settings()

    async def work() -> Approval:
        async with desk(settings) as at:
            store = Approvals(database=at.database, settings=settings)
            approval = await store.decide(
                approval_id, principal=at.principal, accepted=accepted, via="cli", reason=reason
            )
            await at.record(
                f"approval.{approval.state}", target=approval.id, details=shown(approval)
            )
            return approval

    return run(work())


@audit.command("search")
def search_audit(
    tool: Annotated[str | None, typer.Option(help="Only this tool's calls.")] = None,
    principal: Annotated[str | None, typer.Option(help="Only this caller's, as in key:3.")] = None,
    outcome: Annotated[str | None, typer.Option(help="succeeded, failed, denied …")] = None,
    subject: Annotated[str | None, typer.Option(help="About this: a booking id, say.")] = None,
    correlation_id: Annotated[str | None, typer.Option(help="Of this request.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find audit records, newest first."""
    filters = Filters(
        tool=tool,
        principal_id=principal,
        outcome=outcome,
        subject=subject,
        correlation_id=correlation_id,
    )

    async def work() -> list[RecordView]:
        async with desk(load_settings()) as at, at.database.reading(may_lag=True) as session:
            rows, _ = await AuditRecords(session).matching(filters, limit=limit)
        return [view_of(row) for row in rows]

    rows = run(work())
    if as_json:
        show_json(rows)
        return
    show_table(
        ("at", "who", "what", "outcome", "rule", "ms", "correlation id"),
        [
            (
                f"{row.at:%Y-%m-%d %H:%M:%S}",
                row.principal_name,
                row.tool or row.action,
                row.outcome,
                row.rule,
                None if row.duration_ms is None else round(row.duration_ms, 1),
                row.correlation_id,
            )
            for row in rows
        ],
        empty="No such records.",
    )


@audit.command("verify")
def verify_audit(as_json: AsJson = False) -> None:
    """Check that no record was edited, removed, added or reordered; exit 1 if one was."""

    async def work() -> Verification:
        async with desk(load_settings()) as at:
            return await at.audit.verify(on_progress=_progress)

    found = run(work())
    if as_json:
        show_json(found)
    else:
        print(
            f"{found.records} records in {found.chains} chains, {found.anchors} anchors, "
            f"checked in {found.seconds:.2f} s: "
            + ("intact." if found.intact else f"{found.problem_count} problems.")
        )
        for problem in found.problems:
            print(f"{problem.trouble}: {problem.writer_id} #{problem.sequence}: {problem.detail}")
    if not found.intact:
        raise typer.Exit(1)


def _progress(records: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{records} records", end="", file=sys.stderr)


@audit.command("prune")
def prune_audit(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove records older than MSIL_AUDIT_RETENTION_DAYS, as the server does by itself.

    Records that are not as they were written stay, with those after them; exit 1 if there are any.
    """

    async def work() -> Pruned:
        async with desk(load_settings()) as at:
            return await at.audit.prune(principal=at.principal, dry_run=dry_run)

    pruned = run(work())
    if as_json:
        show_json(pruned)
    else:
        verb = "would be removed" if dry_run else "removed"
        print(f"{pruned.records} records of {pruned.chains} chains {verb}.")
        if not pruned.complete:
            print("There are more: run it again.")
    if pruned.refused:
        fail(f"{pruned.refused} chains were not pruned to the end; see msil-mcp audit verify")


@audit.command("export")
def export_audit(
    kind: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    tool: Annotated[str | None, typer.Option(help="Only this tool's calls.")] = None,
    subject: Annotated[str | None, typer.Option(help="About this: a booking id, say.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Only of the last whole days, by UTC.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file to write instead.")] = None,
) -> None:
    """Write matching records to stdout."""
    formats: dict[str, Format] = {"jsonl": "jsonl", "csv": "csv"}
    if kind not in formats:
        fail("--format is jsonl or csv", code=2)
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    filters = Filters(
        tool=tool,
        subject=subject,
        since=None if days is None else today - timedelta(days=days),
        until=None if days is None else today,
    )

    async def work(target: BinaryIO) -> None:
        async with desk(load_settings()) as at:
            await at.record("audit.export", target="audit", details={"format": kind, "days": days})
            async for chunk in export_records(at.database, filters, formats[kind]):
                await asyncio.to_thread(target.write, chunk)
            target.flush()

    if output is None:
        run(work(sys.stdout.buffer))
        return
    try:
        file = output.open("wb")
    except OSError as error:
        fail(f"{output}: {error.strerror or error}")
    with file:
        run(work(file))
