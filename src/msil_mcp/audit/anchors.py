"""Anchors: the heads of all chains tied together, so that none can be cut or dropped unseen.

An anchor lists the heads that moved since this process's anchor before, and carries the MAC of
the anchor before it, whoever made that. The first one a process makes lists every chain.
"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.audit.chain import GENESIS, anchor_mac, stored_time
from msil_mcp.audit.records import AuditAnchorRow, AuditChainRow
from msil_mcp.db.database import Database, utc_now
from msil_mcp.sealing import Mac

Head = tuple[int, str]
_ATTEMPTS = 5


class Anchors:
    """Makes anchors; remembers which heads it has anchored."""

    def __init__(self, database: Database, mac: Mac) -> None:
        self._database = database
        self._mac = mac
        self._anchored: dict[str, Head] = {}

    async def anchor(self) -> int | None:
        """The new anchor's sequence, or None when no head has moved since the last."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self._database.unit_of_work() as session:
                    heads = await _heads(session)
                    moved = {
                        writer: head
                        for writer, head in heads.items()
                        if self._anchored.get(writer) != head
                    }
                    if not moved:
                        return None
                    sequence = await self._add(session, moved)
            except IntegrityError:
                # Another replica took the sequence; the next try follows its anchor.
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                self._anchored = heads
                return sequence
        return None

    async def _add(self, session: AsyncSession, moved: Mapping[str, Head]) -> int:
        newest = select(AuditAnchorRow).order_by(AuditAnchorRow.sequence.desc()).limit(1)
        before = await session.scalar(newest)
        row = AuditAnchorRow(
            sequence=before.sequence + 1 if before else 1,
            at=utc_now(),
            prev_mac=before.mac if before else GENESIS,
            heads=encode_heads(moved),
            key_id=self._mac.key_id,
        )
        content = (row.sequence, stored_time(row.at), row.prev_mac, row.heads, row.key_id)
        row.mac = anchor_mac(self._mac, content, key_id=row.key_id)
        session.add(row)
        return row.sequence


def encode_heads(heads: Mapping[str, Head]) -> str:
    """`[[writer_id, last_sequence, head_hash], …]`, by writer."""
    listed = [(writer, *head) for writer, head in sorted(heads.items())]
    return msgspec.json.encode(listed).decode()


def decode_heads(text: str) -> list[tuple[str, int, str]]:
    """The heads an anchor lists; ValueError when it lists none."""
    return msgspec.json.decode(text, type=list[tuple[str, int, str]])


async def _heads(session: AsyncSession) -> dict[str, Head]:
    rows = await session.execute(
        select(AuditChainRow.writer_id, AuditChainRow.last_sequence, AuditChainRow.head_hash)
    )
    return {writer: (sequence, head) for writer, sequence, head in rows}
