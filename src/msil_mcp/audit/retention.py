"""Removes records past their time so that what is left of each chain still proves itself.

Records go from a chain's old end only. In the transaction that removes them the chain's base moves
to the last of them, with a MAC of its own; the writer owns the head and is not disturbed. A record
goes only once it is proved, so that an edit or a deletion cannot be tidied away: a chain is pruned
up to the first record that is not as it was written, and the rest stays for `verify` to show.

A chain's row stays when all its records are gone, because anchors name it. The newest record of
all stays until there is a newer one, because SQLite would give its id out again.
"""

import asyncio
import time
from datetime import datetime
from typing import Final

import msgspec
import structlog
from sqlalchemy import and_, delete, or_, select, update

from msil_mcp.audit.chain import Scalar, base_mac, is_proved, stored_time
from msil_mcp.audit.reading import Row, stored_rows
from msil_mcp.audit.records import (
    RECORD_COLUMNS,
    AuditChainRow,
    AuditRecordRow,
    AuditSubjectRow,
)
from msil_mcp.db.database import Database, take_turn
from msil_mcp.principal import Principal
from msil_mcp.sealing import Mac

BATCH: Final = 5_000
"""Records of one transaction; while it lasts, nobody else writes to SQLite."""
PAUSE: Final = 0.05
"""Seconds between two batches, for those who wait to write."""
RUN_SECONDS: Final = 480.0
"""After how long a run leaves the rest to the next; less than a job may take."""
PRUNE: Final = "audit.prune"
PRUNE_SECONDS: Final = 6 * 3_600.0
RETENTION: Final = Principal(
    id="system:retention",
    kind="system",
    name="Retention",
    roles=frozenset(),
    permissions=frozenset(),
)

_TURN: Final = 7157205
_SEQUENCE: Final = RECORD_COLUMNS.index("sequence")
_LINK: Final = RECORD_COLUMNS.index("prev_hash")
_AT: Final = RECORD_COLUMNS.index("at")
_Chain, _Record, _Subject = AuditChainRow, AuditRecordRow, AuditSubjectRow
log = structlog.get_logger()


class Pruned(msgspec.Struct):
    """What a run removed so far, and of how many chains something had to stay."""

    records: int = 0
    subjects: int = 0
    chains: int = 0
    refused: int = 0
    complete: bool = True

    @property
    def facts(self) -> dict[str, int | bool]:
        """The counts, as the trail and the log tell them."""
        return msgspec.structs.asdict(self)


class _Base(msgspec.Struct, frozen=True):
    """Where a chain starts: the last record that is gone, and what proves that."""

    writer_id: str
    sequence: int
    hash: str
    key_id: str
    mac: str


class _Overtaken(Exception):
    """The chain is not as it was read: another process prunes it, or rows went in between."""


class Retention:
    """One run over all chains; `pruned` tells how far it has come, also after an exception."""

    def __init__(
        self, database: Database, mac: Mac, *, before: datetime, batch: int = BATCH
    ) -> None:
        self.pruned = Pruned()
        self._database = database
        self._mac = mac
        self._before = before
        self._batch = batch
        self._newest: tuple[str, int] | None = None
        self._until = 0.0

    async def prune(self, *, dry_run: bool = False) -> None:
        """Remove what is older than `before`, batch by batch, each in its own transaction."""
        self._until = time.monotonic() + RUN_SECONDS
        for base in await self._aged():
            already = self.pruned.records
            if self._moved(base, base.sequence, base.hash, key_id=base.key_id).mac == base.mac:
                await self._prune_chain(base, dry_run=dry_run)
            else:
                self._refuse(base, "the chain's base does not match its MAC")
            self.pruned.chains += self.pruned.records > already

    async def _aged(self) -> list[_Base]:
        """Chains whose first record is past its time, or is not there."""
        first = and_(
            _Record.writer_id == _Chain.writer_id,
            _Record.sequence == _Chain.base_sequence + 1,
        )
        bases = (_Chain.base_sequence, _Chain.base_hash, _Chain.base_key_id, _Chain.base_mac)
        aged = (
            select(_Chain.writer_id, *bases)
            .outerjoin(_Record, first)
            .where(
                _Chain.last_sequence > _Chain.base_sequence,
                or_(_Record.id.is_(None), _Record.at < self._before),
            )
            .order_by(_Chain.started_at)
        )
        newest = select(_Record.writer_id, _Record.sequence).order_by(_Record.id.desc()).limit(1)
        async with self._database.reading() as session:
            found = (await session.execute(newest)).first()
            self._newest = None if found is None else (found[0], found[1])
            return [_Base(*row) for row in await session.execute(aged)]

    async def _prune_chain(self, base: _Base, *, dry_run: bool) -> None:
        while True:
            if time.monotonic() > self._until:
                self.pruned.complete = False
                return
            end, reason = await asyncio.to_thread(self._read, base)
            if end.sequence > base.sequence:
                try:
                    await self._remove(base, end, dry_run=dry_run)
                except _Overtaken:
                    log.warning("audit_pruning_overtaken", writer_id=base.writer_id)
                    return
            if reason is not None:
                self._refuse(end, reason)
            if reason is not None or end.sequence - base.sequence < self._batch:
                return
            base = end
            await asyncio.sleep(PAUSE)

    def _read(self, base: _Base) -> tuple[_Base, str | None]:
        """Where the next batch of proved old records ends, and why it ends early if it must."""
        with stored_rows(self._database) as stored:
            rows = stored.records_after(base.writer_id, base.sequence, limit=self._batch)
        sequence, link, reason = base.sequence, base.hash, None
        before = stored_time(self._before)
        for row in rows:
            if str(row[_AT]) >= before or (base.writer_id, row[_SEQUENCE]) == self._newest:
                break
            reason = self._doubt(row, sequence, link)
            if reason is not None:
                break
            sequence, link = sequence + 1, str(row[-1])
        return self._moved(base, sequence, link, key_id=self._mac.key_id), reason

    def _doubt(self, row: Row, sequence: int, link: Scalar) -> str | None:
        if row[_SEQUENCE] != sequence + 1:
            return "a record is missing"
        if row[_LINK] != link:
            return "the record does not follow the one before"
        if not is_proved(self._mac, row):
            return "the record does not match its hash, or its key is not configured"
        return None

    async def _remove(self, base: _Base, end: _Base, *, dry_run: bool) -> None:
        records = end.sequence - base.sequence
        if dry_run:
            self.pruned.records += records
            return
        async with self._database.unit_of_work() as session:
            await take_turn(session, _TURN)
            connection = await session.connection()
            subjects = await connection.execute(
                delete(_Subject).where(
                    _Subject.writer_id == base.writer_id,
                    _Subject.sequence > base.sequence,
                    _Subject.sequence <= end.sequence,
                )
            )
            removed = await connection.execute(
                delete(_Record).where(
                    _Record.writer_id == base.writer_id,
                    _Record.sequence > base.sequence,
                    _Record.sequence <= end.sequence,
                )
            )
            # Last, because the writer waits for this row from here to the commit.
            moved = await connection.execute(
                update(_Chain)
                .where(_Chain.writer_id == base.writer_id, _Chain.base_mac == base.mac)
                .values(
                    base_sequence=end.sequence,
                    base_hash=end.hash,
                    base_key_id=end.key_id,
                    base_mac=end.mac,
                )
            )
            if removed.rowcount != records or moved.rowcount != 1:
                raise _Overtaken
        self.pruned.records += records
        self.pruned.subjects += subjects.rowcount

    def _moved(self, base: _Base, sequence: int, link: str, *, key_id: str) -> _Base:
        values = (base.writer_id, sequence, link, key_id)
        try:
            mac = base_mac(self._mac, values, key_id=key_id)
        except KeyError:
            mac = ""
        return _Base(*values, mac)

    def _refuse(self, at: _Base, reason: str) -> None:
        self.pruned.refused += 1
        log.critical(
            "audit_pruning_refused",
            writer_id=at.writer_id,
            sequence=at.sequence + 1,
            reason=reason,
        )
