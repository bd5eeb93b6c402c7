"""Puts the endpoint together; the composition root calls it and keeps what it returns."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msil_mcp.bus import Bus
from msil_mcp.mcp.admission import Admission
from msil_mcp.mcp.app import McpApp
from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.input_state import InputStates
from msil_mcp.mcp.legacy import LegacyEra
from msil_mcp.mcp.listen import ListenStreams
from msil_mcp.mcp.metadata import ResourceMetadata
from msil_mcp.mcp.methods import Methods, OnOperation, unheard
from msil_mcp.mcp.modern import ModernEra
from msil_mcp.mcp.providers import Provider
from msil_mcp.mcp.relay import Relay
from msil_mcp.mcp.sessions import Revocations, Sessions
from msil_mcp.mcp.stopping import told_to_stop
from msil_mcp.principal import Authenticator
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class RunningMcp:
    """The endpoint at work.

    `app` serves requests. Call `changes.announce` whenever a provider may show something else, and
    `changes.close` to end the standing streams before the server stops.
    """

    app: McpApp
    changes: Changes


@asynccontextmanager
async def running_mcp(
    *,
    providers: Sequence[Provider],
    authenticator: Authenticator,
    bus: Bus,
    keyring: Keyring,
    settings: Settings,
    revocations: Revocations,
    on_operation: OnOperation = unheard,
) -> AsyncIterator[RunningMcp]:
    """The endpoint, listening on a started bus until the context ends."""
    methods = Methods(providers, on_operation=on_operation)
    changes = Changes(authenticator)
    relay = Relay(bus)
    app = McpApp(
        admission=Admission(settings),
        authenticator=authenticator,
        metadata=ResourceMetadata(settings),
        modern=ModernEra(
            methods,
            states=InputStates(keyring, ttl_seconds=settings.approval_ttl_seconds),
            listens=ListenStreams(methods, changes),
            call_timeout_seconds=settings.call_timeout_seconds,
        ),
        legacy=LegacyEra(
            methods,
            sessions=Sessions(
                keyring, ttl_seconds=settings.session_ttl_seconds, revocations=revocations
            ),
            relay=relay,
            bus=bus,
            changes=changes,
            call_timeout_seconds=settings.call_timeout_seconds,
        ),
        max_body_bytes=settings.max_body_bytes,
    )
    await relay.start()
    try:
        with told_to_stop(changes.close):
            yield RunningMcp(app, changes)
    finally:
        changes.close()
        await relay.close()
