"""Legacy sessions that no process holds: `Mcp-Session-Id` is a sealed token any replica opens."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Protocol

import mcp_types
import msgspec

from msil_mcp.mcp.faults import UnknownSession
from msil_mcp.principal import Principal
from msil_mcp.sealing import BadSeal, Keyring

PURPOSE: Final = "mcp-session"
REMEMBERED: Final = 4096
MAX_TOKEN: Final = 2048
_KEPT_CAPABILITIES: Final = ("elicitation", "sampling", "roots")


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What the token says; `expires_at` is in seconds of the epoch."""

    id: str
    version: str
    capabilities: dict[str, dict[str, dict[str, Any]]]
    principal_id: str
    expires_at: int


class Revocations(Protocol):
    """Which sessions ended before their time, known to every replica."""

    def is_revoked(self, session_id: str) -> bool:
        """Whether the session was ended; never waits."""
        ...

    async def revoke(self, session_id: str, *, expires_at: int) -> None:
        """End the session everywhere; durable when this returns."""
        ...


class Sessions:
    """Makes and opens session tokens."""

    def __init__(self, keyring: Keyring, *, ttl_seconds: float, revocations: Revocations) -> None:
        self._sealer = keyring.sealer(PURPOSE)
        self._ttl = ttl_seconds
        self._revocations = revocations
        self._opened: OrderedDict[str, Session] = OrderedDict()

    def begin(
        self, principal: Principal, *, version: str, capabilities: mcp_types.ClientCapabilities
    ) -> str:
        """The token of a new session."""
        session = Session(
            id=secrets.token_urlsafe(15),
            version=version,
            capabilities=_kept(capabilities.model_dump(by_alias=True, exclude_none=True)),
            principal_id=principal.id,
            expires_at=int(time.time() + self._ttl),
        )
        return self._sealer.seal(msgspec.msgpack.encode(session))

    def open(self, token: str, principal: Principal) -> Session:
        """The session; UnknownSession when forged, expired, ended or another principal's."""
        session = self._opened.get(token) or self._unseal(token)
        if (
            session.expires_at < time.time()
            or session.principal_id != principal.id
            or self._revocations.is_revoked(session.id)
        ):
            raise UnknownSession
        return session

    async def end(self, session: Session) -> None:
        """No replica accepts the session any more."""
        await self._revocations.revoke(session.id, expires_at=session.expires_at)

    def _unseal(self, token: str) -> Session:
        if len(token) > MAX_TOKEN:
            raise UnknownSession
        try:
            session = msgspec.msgpack.decode(self._sealer.open(token), type=Session)
        except (BadSeal, msgspec.MsgspecError) as error:
            raise UnknownSession from error
        self._opened[token] = session
        if len(self._opened) > REMEMBERED:
            self._opened.popitem(last=False)
        return session


def _kept(declared: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    # Only which capabilities there are: the token travels in a header of every request.
    return {
        name: {part: {} for part in ("form", "url", "tools", "context") if part in declared[name]}
        for name in _KEPT_CAPABILITIES
        if name in declared
    }
