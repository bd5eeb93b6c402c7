"""Whether a key that the provider publishes made a JWT's signature, by an algorithm we chose.

Every `crit` and `b64` header is refused, and keys a token brings along (`jwk`, `jku`, `x5u`,
`x5c`) are neither used nor fetched.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from msil_mcp.errors import MsilError
from msil_mcp.locales import Message

ALGORITHMS: Final = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | {"EdDSA", "Ed25519", "Ed448"}


class UnsafeAlgorithm(MsilError):
    """The settings pin an algorithm whose keys cannot be published."""

    slug = "unsafe_algorithm"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            names=", ".join(names) or Message("words.nothing"),
            known=", ".join(sorted(ALGORITHMS)),
        )


class SignatureRefused(Exception):
    """The signature does not hold; `why` is for people and names nothing secret."""

    def __init__(self, why: Message) -> None:
        super().__init__(str(why))
        self.why = why


class Header(msgspec.Struct):
    """What is read of a JWT's header."""

    alg: str
    kid: str | None = None
    typ: str = ""
    crit: object = None
    b64: object = None


class _PinnedAlgorithms(JWSRegistry):
    """The pinned algorithms alone, without the library's advice about older names."""

    max_header_length = 4096

    def __init__(self, algorithms: Sequence[str], *, max_bytes: int) -> None:
        super().__init__(algorithms=list(algorithms), strict_check_header=False)
        self.max_payload_length = max_bytes

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise JoseError(f"algorithm {name} is not allowed")
        return self.algorithms[name]


class Signatures:
    """Checks signatures by the pinned algorithms."""

    def __init__(self, algorithms: Sequence[str], *, max_bytes: int) -> None:
        unsafe = [name for name in algorithms if name not in ALGORITHMS]
        if unsafe or not algorithms:
            raise UnsafeAlgorithm(unsafe)
        self._registry = _PinnedAlgorithms(algorithms, max_bytes=max_bytes)
        self._algorithms = frozenset(algorithms)

    def read_header(self, raw: bytes) -> Header:
        """The header of a token that may be signed as it should be, or SignatureRefused."""
        if raw.count(b".") != 2:
            raise SignatureRefused(Message("reasons.token.form"))
        try:
            header = msgspec.json.decode(urlsafe_b64decode(raw.partition(b".")[0]), type=Header)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise SignatureRefused(Message("reasons.token.header")) from error
        if header.crit is not None or header.b64 is not None:
            raise SignatureRefused(Message("reasons.token.extension"))
        if header.alg not in self._algorithms:
            raise SignatureRefused(Message("reasons.token.algorithm"))
        return header

    def signed_payload(self, raw: bytes, candidates: Sequence[Key]) -> bytes:
        """What one of the keys signed, or SignatureRefused."""
        for key in candidates:
            try:
                signed = jws.deserialize_compact(raw, key, registry=self._registry)
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            if signed.payload is not None:
                return signed.payload
        raise SignatureRefused(Message("reasons.token.signature"))
