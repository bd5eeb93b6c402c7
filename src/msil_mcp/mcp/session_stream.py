"""The GET stream of a legacy session: notices of what changed for its caller.

Its event ids name what the caller saw, so a client that comes back, to whichever replica, hears
at once whether it missed a change, and nothing has to be kept for it.
"""

from typing import Final

from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.exchange import Caller
from msil_mcp.mcp.incoming import Incoming
from msil_mcp.mcp.methods import Methods
from msil_mcp.mcp.providers import Fingerprints
from msil_mcp.mcp.relay import Relay
from msil_mcp.mcp.sessions import Session
from msil_mcp.mcp.sse import EventStream, frame
from msil_mcp.mcp.versions import has_priming_events
from msil_mcp.mcp.wire import encode_notification

PREFIX: Final = "list."
KINDS: Final = ("tools", "prompts", "resources")


class SessionStream:
    """Serves GET streams."""

    def __init__(self, methods: Methods, relay: Relay, changes: Changes) -> None:
        self._methods = methods
        self._relay = relay
        self._changes = changes

    async def serve(self, incoming: Incoming, session: Session, last_event_id: str) -> None:
        """Report until the client closes the stream or the process drains."""
        seen = self._methods.fingerprints(incoming.caller)
        versions: dict[str, str | None] = {}
        stream = EventStream(incoming.send)

        async def begin() -> None:
            nonlocal seen
            await stream.open()
            if has_priming_events(session.version):
                await stream.write(frame(b"", event_id=_event_id(seen)))
            if last_event_id.startswith(PREFIX):
                present, seen = seen, _from_event_id(last_event_id)
                await report(present)

        async def look(caller: Caller) -> None:
            await report(self._methods.fingerprints(caller))
            for uri, known in self._relay.notes(session.id).uris.items():
                current = self._methods.resource_version(caller, uri)
                if versions.get(uri, known) != current:
                    versions[uri] = current
                    notice = encode_notification("notifications/resources/updated", {"uri": uri})
                    await stream.send_message(notice)

        async def report(present: Fingerprints) -> None:
            nonlocal seen
            before, seen = seen, present
            for kind in KINDS:
                if getattr(before, kind) != getattr(present, kind):
                    notice = encode_notification(f"notifications/{kind}/list_changed", {})
                    await stream.write(frame(notice, event_id=_event_id(present)))

        await self._changes.follow(incoming, stream, begin=begin, look=look)
        await stream.end()


def _event_id(seen: Fingerprints) -> str:
    return PREFIX + "~".join((seen.tools, seen.prompts, seen.resources))


def _from_event_id(event_id: str) -> Fingerprints:
    parts = (*event_id.removeprefix(PREFIX).split("~"), "", "", "")
    return Fingerprints(tools=parts[0], prompts=parts[1], resources=parts[2])
