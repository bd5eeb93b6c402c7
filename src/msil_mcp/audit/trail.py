"""The facade that the rest of the product writes its trail through."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from msil_mcp.audit.anchors import Anchors
from msil_mcp.audit.chain import PURPOSE, is_intact
from msil_mcp.audit.errors import AlreadyVerifying
from msil_mcp.audit.masking import mask_value
from msil_mcp.audit.records import AuditAnchorRow, AuditRecord, AuditRecordRow
from msil_mcp.audit.retention import BATCH, Pruned, Retention
from msil_mcp.audit.rows import RowInsert
from msil_mcp.audit.verify import Verification, verify
from msil_mcp.audit.writer import (
    GroupCommitWriter,
    OnAlteration,
    OnBatch,
    OnFailure,
    OnRecord,
)
from msil_mcp.db.database import Database, utc_now
from msil_mcp.principal import Principal
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings

VERIFY_PAUSE: Final = 0.01
FOR_EVER_DAYS: Final = 36_500
"""Longer than any retention that is meant, and a time that can still be reckoned with."""
log = structlog.get_logger()


class Audit:
    """One process's trail: start it before the first call, close it after the last."""

    def __init__(
        self,
        *,
        database: Database,
        keyring: Keyring,
        settings: Settings,
        on_batch: OnBatch | None = None,
        on_failure: OnFailure | None = None,
        on_alteration: OnAlteration | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self._mac = keyring.mac(PURPOSE)
        self._anchors = Anchors(database, self._mac)
        self._verifying = asyncio.Lock()
        self._on_alteration = on_alteration
        self.writer = GroupCommitWriter(
            database,
            self._mac,
            on_batch=on_batch,
            on_failure=on_failure,
            on_alteration=on_alteration,
        )

    def on_record(self, listener: OnRecord) -> None:
        """Hear of every record of this process once it is durable.

        Called on the event loop for each, so it must be quick and may not raise.
        """
        self.writer.listeners.append(listener)

    async def start(self) -> None:
        """Start the writer; its chain will vouch for the newest anchor there is."""
        await self.writer.start()
        try:
            async with self.database.reading() as session:
                newest = await session.scalar(select(func.max(AuditAnchorRow.sequence)))
        except SQLAlchemyError as error:
            log.warning("audit_anchor_unread", error=type(error).__name__)
        else:
            self.writer.note_anchor(newest or 0)

    async def close(self) -> None:
        """Write what is queued, close the chain, and anchor its head."""
        await self.writer.close()
        try:
            await self._anchors.anchor()
        except SQLAlchemyError as error:
            log.warning("audit_anchor_failed", error=type(error).__name__)

    @property
    def healthy(self) -> bool:
        """Whether records become durable."""
        return self.writer.healthy

    def ensure_writable(self) -> None:
        """Refuse an effect that could not be recorded; raises AuditUnavailable."""
        self.writer.ensure_writable()

    async def write(self, record: AuditRecord, also: Sequence[RowInsert] = ()) -> None:
        """Returns when the record, and the rows with it, are durable; see GroupCommitWriter."""
        await self.writer.write(record, also)

    async def record_admin(
        self,
        *,
        principal: Principal | None,
        action: str,
        target: str,
        details: Mapping[str, Any],
        correlation_id: str | None,
        outcome: Literal["succeeded", "denied"] = "succeeded",
    ) -> None:
        """An administrative change that was made, or a session; its details are masked here."""
        await self.write(
            AuditRecord(
                kind="auth" if action.startswith("session.") else "admin",
                action=action,
                outcome=outcome,
                principal=principal,
                target=target,
                details=mask_value(details),
                correlation_id=correlation_id,
            )
        )

    async def anchor_heads(self) -> int | None:
        """Tie the heads of all chains together; None when none has moved since the last time."""
        sequence = await self._anchors.anchor()
        if sequence is not None:
            self.writer.note_anchor(sequence)
        return sequence

    async def verify(self, *, on_progress: Callable[[int], None] | None = None) -> Verification:
        """Check the whole trail on a thread, one check at a time; AlreadyVerifying otherwise."""
        if self._verifying.locked():
            raise AlreadyVerifying
        async with self._verifying:
            found = await asyncio.to_thread(
                verify, self.database, self._mac, on_progress=on_progress, pause=VERIFY_PAUSE
            )
        if not found.intact:
            log.critical("audit_trail_altered", problems=found.problem_count)
            if self._on_alteration is not None:
                self._on_alteration()
        return found

    async def prune(
        self, *, principal: Principal, dry_run: bool = False, batch: int = BATCH
    ) -> Pruned:
        """Remove what is past the configured days and record that; see `Retention`.

        A run that is cut short is recorded, too. With `dry_run` it only tells what would go.
        """
        self.ensure_writable()
        days = min(self.settings.audit_retention_days, FOR_EVER_DAYS)
        before = utc_now() - timedelta(days=days)
        retention = Retention(self.database, self._mac, before=before, batch=batch)
        pruned = retention.pruned
        try:
            await retention.prune(dry_run=dry_run)
        finally:
            if pruned.records and not dry_run:
                log.info("audit_pruned", before=before.isoformat(), **pruned.facts)
                await self.record_admin(
                    principal=principal,
                    action="audit.pruned",
                    target="audit",
                    details={"before": before.isoformat(), **pruned.facts},
                    correlation_id=None,
                )
        return pruned

    def holds(self, row: AuditRecordRow) -> bool:
        """Whether one record still matches its own hash."""
        return is_intact(self._mac, row)
