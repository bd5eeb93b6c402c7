"""What happens here, in the words that watchers and webhooks are told it in.

Every event is a record of the trail seen from outside, so nothing is announced that was not made
durable first. Its data is what the record holds masked; subjects and results stay in the trail.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol, get_args

import msgspec

from msil_mcp.audit.records import AuditRecord, AuditRecordRow
from msil_mcp.principal import Principal

EventType = Literal[
    "tool.called",
    "tool.denied",
    "write.done",
    "approval.requested",
    "approval.decided",
    "run.started",
    "run.succeeded",
    "run.failed",
    "run.stopped",
    "run.interrupted",
    "document.imported",
    "bundle.created",
    "bundle.changed",
    "bundle.deleted",
    "bundle.published",
    "bundle.withdrawn",
    "tool.published",
    "tool.withdrawn",
    "tool.enabled",
    "tool.disabled",
    "tool.edited",
    "key.created",
    "key.rotated",
    "key.revoked",
    "user.created",
    "user.changed",
    "user.password_reset",
    "role.created",
    "role.changed",
    "role.deleted",
    "exposure.granted",
    "exposure.removed",
    "chat.exported",
    "audit.exported",
]
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)

_BY_ACTION: Final[Mapping[str, EventType]] = {
    "approval.approved": "approval.decided",
    "approval.declined": "approval.decided",
    "audit.export": "audit.exported",
    **{name: name for name in EVENT_TYPES},
}
UNTOLD: Final = frozenset(
    {
        "audit.pruned",
        "chat.read",
        "database.restored",
        "document.draft_changed",
        "document.draft_deleted",
        "document.drafted",
        "session.ended",
        "session.refused",
        "session.started",
        "user.password_changed",
        "user.preferences_changed",
        "webhook.changed",
        "webhook.created",
        "webhook.deleted",
        "webhook.replayed",
        "webhook.secret_rotated",
        "webhook.tested",
    }
)
"""What people do that is on the record and of no interest to others at the time."""
CALL: Final = "tools/call"
_NO_ACTIONS: Final = frozenset(
    {
        "tool.called",
        "tool.denied",
        "write.done",
        "approval.requested",
        "approval.decided",
        "audit.exported",
    }
)
"""What events are called whose records are of another action."""
_CALLED: Final[tuple[EventType, ...]] = ("tool.called",)
_WRITTEN: Final[tuple[EventType, ...]] = ("tool.called", "write.done")
_NONE: Final[tuple[EventType, ...]] = ()
FACTS: Final = (
    "outcome",
    "rule",
    "error",
    "origin",
    "tool",
    "bundle",
    "risk",
    "target",
    "approval_id",
    "execution_id",
    "correlation_id",
    "session_id",
    "run_id",
    "upstream_status",
    "duration_ms",
    "replayed",
)


class Recorded(Protocol):
    """What a record has in common before and after it is stored."""

    @property
    def kind(self) -> str:
        """tool.call, admin, and so on."""
        ...

    @property
    def action(self) -> str:
        """What was done."""
        ...

    @property
    def outcome(self) -> str:
        """How it ended."""
        ...

    @property
    def risk(self) -> str | None:
        """The tool's."""
        ...

    @property
    def replayed(self) -> bool:
        """Whether a stored result answered."""
        ...


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; `concerns` are the ids of those who may hear of it regardless."""

    type: str
    at: datetime
    data: Mapping[str, Any]
    concerns: Sequence[str] = ()


def types_of(recorded: Recorded) -> tuple[EventType, ...]:
    """What a record is announced as; most are one event, a write done is two, some are none.

    Asking again for an open approval repeats `approval.requested` with the same approval_id.
    """
    if recorded.kind != "tool.call":
        told = recorded.kind in {"admin", "run"}
        decided = _BY_ACTION.get(recorded.action) if told else None
        return _NONE if decided is None else (decided,)
    if recorded.outcome == "denied":
        return ("tool.denied",)
    if recorded.outcome == "needs_confirmation":
        return ("approval.requested",)
    if recorded.outcome == "succeeded" and recorded.risk != "read" and not recorded.replayed:
        return _WRITTEN
    return _CALLED


def known_actions() -> set[str]:
    """Every action a record may be of."""
    return {CALL, *_BY_ACTION, *UNTOLD} - _NO_ACTIONS


def events_of(record: AuditRecord, *, at: datetime) -> list[LiveEvent]:
    """The events of a record just written."""
    caller = record.principal
    who = None if caller is None else {"id": caller.id, "kind": caller.kind, "name": caller.name}
    data = _data(record, who, record.arguments, record.details)
    concerns = _concerned(caller, record.details)
    return [LiveEvent(type=name, at=at, data=data, concerns=concerns) for name in types_of(record)]


def data_of(row: AuditRecordRow) -> dict[str, Any]:
    """The data of the events of a stored record."""
    who = None
    if row.principal_id is not None:
        who = {"id": row.principal_id, "kind": row.principal_kind, "name": row.principal_name}
    return _data(row, who, row.arguments, _parsed(row.details))


def may_see(principal: Principal, event: LiveEvent) -> bool:
    """analytics:read sees all, approvals:read what concerns approvals, everybody their own."""
    if principal.may("analytics:read") or principal.id in event.concerns:
        return True
    return event.type.startswith("approval.") and principal.may("approvals:read")


def _data(
    recorded: Recorded, who: Mapping[str, Any] | None, arguments: str | None, details: object
) -> dict[str, Any]:
    facts = ((name, getattr(recorded, name)) for name in FACTS)
    data = {name: value for name, value in facts if value is not None}
    data["caller"] = who
    if arguments is not None:
        data["arguments"] = _parsed(arguments)
    if details:
        data["details"] = details
    return data


def _concerned(caller: Principal | None, details: Mapping[str, Any] | None) -> list[str]:
    """Who did it, the owner of the key it was done with, and who had asked for it."""
    found = [] if caller is None else [caller.id, caller.attributes.get("owner")]
    found.append((details or {}).get("requested_by"))
    return [known for known in found if isinstance(known, str)]


def _parsed(text: str | None) -> Any:
    """JSON as a value; JSON that was cut short as the text it is."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
