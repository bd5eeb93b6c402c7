"""The one bus: snapshot news, server-to-client answers, run chunks, stops and live events.

Two implementations with one behaviour: memory for a single process, PostgreSQL for replicas.
"""

from typing import TYPE_CHECKING, Any

from msil_mcp.bus.events import (
    Bus,
    BusInterrupted,
    BusUnavailable,
    Event,
    PayloadTooLarge,
    SubscriberTooSlow,
)
from msil_mcp.bus.memory import MemoryBus
from msil_mcp.bus.models import BusEvent

if TYPE_CHECKING:
    from msil_mcp.bus.postgres import PostgresBus

__all__ = [
    "Bus",
    "BusEvent",
    "BusInterrupted",
    "BusUnavailable",
    "Event",
    "MemoryBus",
    "PayloadTooLarge",
    "PostgresBus",
    "SubscriberTooSlow",
]


def __getattr__(name: str) -> Any:
    # The embedded default has no use for the PostgreSQL driver.
    if name == "PostgresBus":
        from msil_mcp.bus.postgres import PostgresBus

        return PostgresBus
    raise AttributeError(name)
