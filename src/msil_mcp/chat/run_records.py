"""What becomes of runs, on the record: live events and webhooks are told from there.

A record follows the commit of what it tells. None says what anybody wrote.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from msil_mcp.audit.errors import AuditUnavailable
from msil_mcp.audit.records import AuditRecord, RecordOutcome
from msil_mcp.chat.ledger import NANOS
from msil_mcp.chat.models import ChatRun
from msil_mcp.principal import Principal

Write = Callable[[AuditRecord], Awaitable[None]]
log = structlog.get_logger()

SERVER: Final = Principal(
    id="system:conversations",
    kind="system",
    name="Conversations",
    roles=frozenset(),
    permissions=frozenset(),
)
"""Who ends what nobody works on any more."""


async def record_start(write: Write, run: ChatRun, *, by: Principal, correlation_id: str) -> None:
    """An answer is begun."""
    await _kept(write, _record(run, "started", by, correlation_id, details={}))


async def record_end(
    write: Write, run: ChatRun, *, by: Principal = SERVER, correlation_id: str | None = None
) -> None:
    """A run has ended: `run.` and its state, with what it took."""
    details = {
        "model": run.model,
        "model_requests": run.model_requests,
        "tool_calls": run.tool_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cached_tokens": run.cached_tokens,
        "cost_usd": run.cost_nanos / NANOS,
        "first_token_ms": run.first_token_ms,
        "limit_hit": run.limit_hit,
    }
    await _kept(write, _record(run, run.state, by, correlation_id, details=details))


def _record(
    run: ChatRun,
    became: str,
    by: Principal,
    correlation_id: str | None,
    *,
    details: dict[str, Any],
) -> AuditRecord:
    outcome: RecordOutcome = "failed" if became in {"failed", "interrupted"} else "succeeded"
    took = None
    if run.finished_at is not None:
        took = round((run.finished_at - run.created_at).total_seconds() * 1000, 3)
    return AuditRecord(
        kind="run",
        action=f"run.{became}",
        outcome=outcome,
        principal=by,
        error=run.error,
        origin="chat",
        target=f"chat_run:{run.id}",
        session_id=run.session_id,
        run_id=run.id,
        correlation_id=correlation_id,
        duration_ms=took,
        details={name: value for name, value in details.items() if value is not None}
        | {"requested_by": run.user_id},
    )


async def _kept(write: Write, record: AuditRecord) -> None:
    """A conversation goes on without its record: its calls are refused by themselves."""
    try:
        await write(record)
    except AuditUnavailable:
        log.warning("chat_run_not_recorded", run_id=record.run_id, action=record.action)
