"""The `requestState` of a call that needs input (2026-07-28): sealed, bound and short-lived.

A client brings it back with its answers and may alter or replay it at will. It opens only for the
same principal, method, name and arguments, within its time. That it is used once is the affair of
what it names: an approval row is consumed when it is used.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from msil_mcp.mcp.faults import InvalidParams
from msil_mcp.principal import Principal
from msil_mcp.sealing import BadSeal, Keyring

PURPOSE: Final = "mcp-request-state"


class _State(msgspec.Struct, array_like=True):
    expires_at: float
    payload: bytes


class StaleState(InvalidParams):
    """The state is forged, altered, too old, or another call's: all look the same."""

    slug = "bad_request_state"


class InputStates:
    """Seals and opens request states; replicas share the key, so any may open them."""

    def __init__(self, keyring: Keyring, *, ttl_seconds: float) -> None:
        self._sealer = keyring.sealer(PURPOSE)
        self._ttl = ttl_seconds

    def seal(
        self, payload: bytes, *, principal: Principal, method: str, params: Mapping[str, Any]
    ) -> str:
        """The opaque text a client keeps for us."""
        state = msgspec.msgpack.encode(_State(time.time() + self._ttl, payload))
        return self._sealer.seal(state, bound_to=_binding(principal, method, params))

    def open(
        self, token: object, *, principal: Principal, method: str, params: Mapping[str, Any]
    ) -> bytes:
        """What `seal` was given; StaleState for anything else."""
        if not isinstance(token, str):
            raise StaleState
        try:
            raw = self._sealer.open(token, bound_to=_binding(principal, method, params))
        except BadSeal as error:
            raise StaleState from error
        state = msgspec.msgpack.decode(raw, type=_State)
        if state.expires_at < time.time():
            raise StaleState
        return state.payload


def _binding(principal: Principal, method: str, params: Mapping[str, Any]) -> bytes:
    call = {key: params.get(key) for key in ("name", "uri", "arguments")}
    bound = json.dumps((principal.id, method, call), sort_keys=True)
    return hashlib.sha256(bound.encode()).digest()
