"""The generation of the configuration: one row that grows with every change a snapshot shows.

It is raised inside the transaction that makes the change, so a reader never sees one without the
other, and polled by every process as the safety net of the bus.
"""

from sqlalchemy import BigInteger, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base

_BUMP = text(
    "INSERT INTO snapshot_generation (id, generation) VALUES (1, 1) "
    "ON CONFLICT (id) DO UPDATE SET generation = snapshot_generation.generation + 1 "
    "RETURNING generation"
)
_READ = text("SELECT generation FROM snapshot_generation WHERE id = 1")


class SnapshotGeneration(Base):
    """The only row has id 1."""

    __tablename__ = "snapshot_generation"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(BigInteger)


async def bump_generation(session: AsyncSession) -> int:
    """Raise the generation within the caller's transaction; other changes wait for its commit."""
    generation: int = (await session.execute(_BUMP)).scalar_one()
    return generation


async def read_generation(session: AsyncSession) -> int:
    """The present generation; 0 before the first change."""
    generation: int | None = (await session.execute(_READ)).scalar_one_or_none()
    return generation or 0
