"""What the REST routes answer with."""

from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict

from msil_mcp.audit.records import AuditRecordRow
from msil_mcp.audit.search import Placed
from msil_mcp.audit.verify import Trouble


class RecordView(BaseModel):
    """A record; personal data in it was masked when it was written."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    kind: str
    action: str
    outcome: str
    rule: str | None
    error: str | None
    principal_id: str | None
    principal_kind: str | None
    principal_name: str | None
    origin: str | None
    tool: str | None
    bundle: str | None
    risk: str | None
    target: str | None
    subjects: dict[str, str]
    correlation_id: str | None
    session_id: str | None
    upstream_status: int | None
    duration_ms: float | None
    replayed: bool


class Neighbour(BaseModel):
    """The record before or after in the same chain; `linked` when the hashes join."""

    id: int
    sequence: int
    hash: str
    linked: bool


class ChainProof(BaseModel):
    """A record's place in its writer's chain; `intact` when it matches its own hash.

    `verified` when it is intact, follows the one before it or begins the chain, and is followed by
    the next or ends the chain. The whole trail is checked by POST /api/audit/verify.
    """

    verified: bool
    writer_id: str
    sequence: int
    prev_hash: str
    hash: str
    key_id: str
    intact: bool
    previous: Neighbour | None
    next: Neighbour | None


class RecordDetail(RecordView):
    """Everything a record says, and its proof; `arguments` and `result` are masked."""

    roles: list[str]
    tool_version_id: int | None
    tool_hash: str | None
    arguments_hash: str | None
    arguments: Any
    result: Any
    policy_inputs: Any
    approval_id: str | None
    execution_id: str | None
    idempotency: bool
    trace_id: str | None
    run_id: str | None
    upstream_ms: float | None
    details: Any
    chain: ChainProof


class ProblemView(BaseModel):
    """One thing that is not as it was written."""

    model_config = ConfigDict(from_attributes=True)

    trouble: Trouble
    writer_id: str | None
    sequence: int | None
    detail: str


class VerificationView(BaseModel):
    """What was checked and what was found."""

    model_config = ConfigDict(from_attributes=True)

    intact: bool
    records: int
    chains: int
    anchors: int
    seconds: float
    problem_count: int
    problems: list[ProblemView]


def view_of(row: AuditRecordRow) -> RecordView:
    """What a list shows of a record."""
    return RecordView(**_common(row))


def _common(row: AuditRecordRow) -> dict[str, Any]:
    given = {name: getattr(row, name) for name in RecordView.model_fields if name != "subjects"}
    return given | {"subjects": _parsed(row.subjects) or {}}


def detail_of(placed: Placed, *, intact: bool) -> RecordDetail:
    """Everything about a record, with its place in its chain."""
    row, before, after = placed.row, placed.previous, placed.next
    plain = RecordDetail.model_fields.keys() - RecordView.model_fields.keys() - {"chain"}
    own = {name: getattr(row, name) for name in plain}
    for name in ("roles", "arguments", "result", "policy_inputs", "details"):
        own[name] = _parsed(own[name])
    proof = ChainProof(
        verified=intact and placed.follows and placed.is_followed,
        writer_id=row.writer_id,
        sequence=row.sequence,
        prev_hash=row.prev_hash,
        hash=row.hash,
        key_id=row.key_id,
        intact=intact,
        previous=_neighbour(before, linked=placed.follows),
        next=_neighbour(after, linked=placed.is_followed),
    )
    return RecordDetail(**_common(row), **own | {"roles": own["roles"] or []}, chain=proof)


def _neighbour(row: AuditRecordRow | None, *, linked: bool) -> Neighbour | None:
    if row is None:
        return None
    return Neighbour(id=row.id, sequence=row.sequence, hash=row.hash, linked=linked)


def _parsed(stored: str | None) -> Any:
    """JSON as a value; a text, or JSON that was cut short, as it is."""
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored)
    except msgspec.DecodeError:
        return stored
