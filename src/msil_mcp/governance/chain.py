"""The one composed chain every door calls, outermost first."""

from dataclasses import dataclass

from msil_mcp.audit.trail import Audit
from msil_mcp.governance.approvals import Approvals
from msil_mcp.governance.effects import Approve, Dispatch, Idempotency
from msil_mcp.governance.executions import Executions
from msil_mcp.governance.limits import Limit, Limiter
from msil_mcp.governance.record import Record
from msil_mcp.governance.redaction import Redact
from msil_mcp.governance.rules import Authorize, Validate
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.tracing import Tracer
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolInvoker
from msil_mcp.tools.snapshot import SnapshotStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the rules stand on."""

    settings: Settings
    snapshots: SnapshotStore
    limiter: Limiter
    executions: Executions
    approvals: Approvals
    audit: Audit
    metrics: Metrics
    tracer: Tracer


def compose(parts: Parts, *, upstream: ToolInvoker) -> Record:
    """Compose record > authorize > validate > limit > idempotency > approve > redact > upstream."""
    redact = Redact(settings=parts.settings, inner=upstream)
    dispatch = Dispatch(executions=parts.executions, inner=redact)
    approve = Approve(
        approvals=parts.approvals, executions=parts.executions, dispatch=dispatch, inner=redact
    )
    idempotency = Idempotency(executions=parts.executions, dispatch=dispatch, inner=approve)
    limit = Limit(
        settings=parts.settings,
        limiter=parts.limiter,
        inner=idempotency,
        on_limit=parts.metrics.record_limit,
    )
    authorize = Authorize(snapshots=parts.snapshots, inner=Validate(inner=limit))
    return Record(audit=parts.audit, metrics=parts.metrics, tracer=parts.tracer, inner=authorize)
