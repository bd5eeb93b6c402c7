"""The parts of webhooks that the routes, the jobs and the composition root share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from msil_mcp.bus import Bus
from msil_mcp.db.database import Database
from msil_mcp.egress import Egress
from msil_mcp.sealing import Keyring, Sealer
from msil_mcp.webhooks.deliveries import forget_old
from msil_mcp.webhooks.delivering import Delivering, OnAttempt
from msil_mcp.webhooks.relay import Relay, forget_ended

PURPOSE: Final = "webhook-secret"
TIDY_SECONDS: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`app.state.webhooks`; a serving process starts the relay and runs the two jobs."""

    database: Database
    sealer: Sealer
    relay: Relay
    delivering: Delivering

    async def deliver(self, payload: Mapping[str, Any]) -> None:
        """The job `webhook.deliver`."""
        await self.delivering.deliver(payload)

    async def tidy(self, _: Mapping[str, Any]) -> None:
        """The recurring job `webhook.tidy`."""
        async with self.database.unit_of_work() as session:
            await forget_old(session)
            await forget_ended(session)


def build_webhooks(
    *, database: Database, bus: Bus, egress: Egress, keyring: Keyring, on_attempt: OnAttempt
) -> Webhooks:
    """Everything of webhooks that lives as long as the process."""
    sealer = keyring.sealer(PURPOSE)
    return Webhooks(
        database=database,
        sealer=sealer,
        relay=Relay(database=database, bus=bus),
        delivering=Delivering(
            database=database, egress=egress, sealer=sealer, on_attempt=on_attempt
        ),
    )


def webhooks_of(request: Request) -> Webhooks:
    """The application's webhooks."""
    webhooks: Webhooks = request.app.state.webhooks
    return webhooks
