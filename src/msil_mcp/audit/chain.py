"""The keyed hash chain: canonical encoding of records, heads, bases and anchors.

Canonical encoding, version 1. A JSON array in UTF-8 without white space, strings escaped as
RFC 8259 requires and no further, whose first element names what it is. For a record:

    ["audit-record/1", writer_id, sequence, prev_hash, key_id, at, kind, … , details]

that is, every column of `audit_records` between `format` and `hash` in table order, each as it is
stored: texts as strings (JSON columns too, unparsed), integers, booleans as 0 or 1, durations as
the shortest decimal that reads back the same, absent as null, and times in UTC as
`YYYY-MM-DD HH:MM:SS.ffffff`. `hash` is HMAC-SHA-256 over these bytes in lowercase hex, with the
key derived for "audit-chain" that `key_id` names. Nothing in it depends on the database.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from msil_mcp.audit.records import FORMAT, RECORD_COLUMNS, AuditRecord, AuditRecordRow
from msil_mcp.sealing import Mac

PURPOSE: Final = "audit-chain"
GENESIS: Final = "0" * 64
"""`prev_hash` of a chain's first record, and of the first anchor."""

Scalar = str | int | float | None
Row = tuple[Scalar, ...]

_encoder = msgspec.json.Encoder(order="deterministic")
_roles_json: dict[frozenset[str], str] = {}
_ROLE_SETS_KEPT = 1024
_RECORD: Final = f"audit-record/{FORMAT}"
_KEY_ID: Final = RECORD_COLUMNS.index("key_id")


def canonical(name: str, values: Sequence[Scalar]) -> bytes:
    """The bytes that are hashed; see the module's description."""
    return _encoder.encode((name, *values))


def stored_time(at: datetime) -> str:
    """A time as it is hashed, and as SQLite stores it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def is_intact(mac: Mac, row: AuditRecordRow) -> bool:
    """Whether a record read through the ORM matches its hash; by a known key, too."""
    return is_proved(mac, [_canonical_value(getattr(row, name)) for name in RECORD_COLUMNS])


def is_proved(mac: Mac, values: Sequence[Scalar]) -> bool:
    """The same of a record's stored columns, from `format` to `hash`."""
    name = f"audit-record/{values[0]}"
    try:
        found = mac.digest(canonical(name, values[1:-1]), key_id=str(values[_KEY_ID]))
    except KeyError:
        return False
    return found.hex() == values[-1]


def _canonical_value(value: Any) -> Scalar:
    if isinstance(value, datetime):
        return stored_time(value)
    stored: Scalar = int(value) if isinstance(value, bool) else value
    return stored


def head_mac(mac: Mac, values: Sequence[Scalar], *, key_id: str) -> str:
    """Over writer_id, started_at, last_sequence, head_hash, closed, anchored, key_id."""
    return mac.digest(canonical("audit-head/1", values), key_id=key_id).hex()


def base_mac(mac: Mac, values: Sequence[Scalar], *, key_id: str) -> str:
    """Over writer_id, base_sequence, base_hash, base_key_id."""
    return mac.digest(canonical("audit-base/1", values), key_id=key_id).hex()


def anchor_mac(mac: Mac, values: Sequence[Scalar], *, key_id: str) -> str:
    """Over sequence, at, prev_mac, heads, key_id."""
    return mac.digest(canonical("audit-anchor/1", values), key_id=key_id).hex()


class Chain:
    """One writer's chain in memory; its state moves with `append` and returns with `rewind`."""

    def __init__(self, mac: Mac) -> None:
        self.writer_id = secrets.token_hex(12)
        self.started_at = datetime.now(UTC)
        self.sequence = 0
        self.head = GENESIS
        self.anchored = 0
        self._mac = mac

    def append(self, record: AuditRecord, now: str) -> Row:
        """The record's stored columns, from `format` to `hash`, as the chain's next link."""
        link = (self.writer_id, self.sequence + 1, self.head, self._mac.key_id)
        at = now if record.at is None else stored_time(record.at)
        values = (*link, *_content(record, at))
        try:
            encoded = canonical(_RECORD, values)
        except UnicodeEncodeError:
            encoded = None
        if encoded is None or b"\\u0000" in encoded:
            values = tuple(_storable(value) for value in values)
            encoded = canonical(_RECORD, values)
        self.sequence += 1
        self.head = self._mac.digest(encoded).hex()
        return (FORMAT, *values, self.head)

    def rewind(self, sequence: int, head: str) -> None:
        """Forget links that did not become durable."""
        self.sequence, self.head = sequence, head

    def first_row(self) -> dict[str, Any]:
        """The chain's row when it begins: an empty head and a base of nothing."""
        base = (self.writer_id, 0, GENESIS, self._mac.key_id)
        return {
            "writer_id": self.writer_id,
            "started_at": self.started_at,
            "base_sequence": 0,
            "base_hash": GENESIS,
            "base_key_id": self._mac.key_id,
            "base_mac": base_mac(self._mac, base, key_id=self._mac.key_id),
        } | self.head_row(closed=False)

    def head_row(self, *, closed: bool) -> dict[str, Any]:
        """The columns of the chain's row that tell where it ends."""
        head = (
            self.writer_id,
            stored_time(self.started_at),
            self.sequence,
            self.head,
            int(closed),
            self.anchored,
            self._mac.key_id,
        )
        return {
            "last_sequence": self.sequence,
            "head_hash": self.head,
            "closed": closed,
            "anchored": self.anchored,
            "key_id": self._mac.key_id,
            "head_mac": head_mac(self._mac, head, key_id=self._mac.key_id),
        }


def _content(record: AuditRecord, at: str) -> Row:
    who = record.principal
    caller = (None,) * 4 if who is None else (who.id, who.kind, who.name, _roles(who.roles))
    return (
        at,
        record.kind,
        record.action,
        record.outcome,
        record.rule,
        record.error,
        *caller,
        record.origin,
        record.tool,
        record.tool_version_id,
        record.tool_hash,
        record.bundle,
        record.risk,
        record.arguments_hash,
        record.arguments,
        record.result,
        _json(record.subjects),
        _json(record.policy_inputs),
        record.approval_id,
        record.execution_id,
        int(record.idempotency),
        record.correlation_id,
        record.trace_id,
        record.session_id,
        record.run_id,
        record.upstream_status,
        None if record.duration_ms is None else round(float(record.duration_ms), 3),
        None if record.upstream_ms is None else round(float(record.upstream_ms), 3),
        int(record.replayed),
        record.target,
        _json(record.details),
    )


def _storable(value: Scalar) -> Scalar:
    """Text without what a database cannot hold: NUL and lone surrogates."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _json(value: object) -> str | None:
    return None if not value else _encoder.encode(value).decode()


def _roles(roles: frozenset[str]) -> str:
    known = _roles_json.get(roles)
    if known is None:
        if len(_roles_json) >= _ROLE_SETS_KEPT:
            _roles_json.clear()
        known = _roles_json[roles] = _encoder.encode(sorted(roles)).decode()
    return known
