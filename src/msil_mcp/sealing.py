"""One secret, many keys: HKDF per purpose, AEAD tokens, key ids for rotation.

MSIL_SECRET_KEY holds one or more keys, newest first. New seals and hashes use the newest; older
ones still open. On SQLite a key is made in the data directory, readable by its owner alone.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from msil_mcp.errors import MsilError
from msil_mcp.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 4
KEY_FILE = "secret.key"
ENTROPY_PAGE = 4096


class _Entropy:
    """Random bytes of the system, fetched by the page: a system call an id costs too much."""

    def __init__(self) -> None:
        self._page = b""
        self._at = 0
        # A child must not draw what its parent draws.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._page = b""
        self._at = 0

    def draw(self, size: int) -> bytes:
        """Bytes that nobody else is given; on any thread of one event loop's process."""
        with _entropy_lock:
            if self._at + size > len(self._page):
                self._page, self._at = os.urandom(ENTROPY_PAGE), 0
            self._at += size
            return self._page[self._at - size : self._at]


_entropy_lock = threading.Lock()
_entropy = _Entropy()


def random_hex(size: int) -> str:
    """So many random bytes, in hexadecimal; for ids, not for keys."""
    return _entropy.draw(size).hex()


class BadSecretKey(MsilError):
    """MSIL_SECRET_KEY, or the key file, cannot be used."""

    slug = "bad_secret_key"

    def __init__(self, where: str) -> None:
        super().__init__(where=where, bytes=KEY_BYTES)


class BadSeal(MsilError):
    """A sealed token was forged, damaged, or sealed with a key that is gone."""

    status = 400
    slug = "bad_seal"


def make_secret() -> str:
    """A fresh value for MSIL_SECRET_KEY."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")


def _decode(text: str, *, where: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadSecretKey(where) from error
    if len(raw) < KEY_BYTES:
        raise BadSecretKey(where)
    return raw


class Keyring:
    """Derives purpose-bound keys; holds the master secrets and shows them to nobody."""

    def __init__(self, masters: Sequence[bytes]) -> None:
        self._masters = tuple(masters)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The configured keys, or on SQLite the data directory's own, made on first use."""
        if settings.secret_key is not None:
            parts = settings.secret_key.get_secret_value().split(",")
            return cls([_decode(part, where="MSIL_SECRET_KEY") for part in parts])
        path = settings.data_dir / KEY_FILE
        return cls([_decode(_read_or_make(path), where=str(path))])

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """32-byte keys for a purpose, newest first; other purposes' keys do not follow from it."""
        return tuple(
            HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
            for key in self._masters
        )

    def sealer(self, purpose: str) -> "Sealer":
        """Makes and opens opaque tokens for one purpose."""
        return Sealer(self.derive(purpose))

    def mac(self, purpose: str) -> "Mac":
        """Keyed hashes for one purpose."""
        return Mac(self.derive(purpose))


class Sealer:
    """AEAD tokens (ChaCha20-Poly1305), URL-safe, naming the key that made them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {
            hashlib.sha256(key).digest()[:KEY_ID_BYTES]: ChaCha20Poly1305(key) for key in keys
        }
        self._newest = next(iter(self._ciphers))

    def seal(self, payload: bytes, *, bound_to: bytes = b"") -> str:
        """A token only this purpose's keys can make; `bound_to` must be given again to open it."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, payload, bound_to)
        return base64.urlsafe_b64encode(self._newest + nonce + sealed).decode().rstrip("=")

    def open(self, token: str, *, bound_to: bytes = b"") -> bytes:
        """The payload, or BadSeal."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            cipher = self._ciphers[raw[:KEY_ID_BYTES]]
            nonce, body = raw[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], raw[KEY_ID_BYTES:]
            return cipher.decrypt(nonce, body[NONCE_BYTES:], bound_to)
        except (binascii.Error, ValueError, KeyError, InvalidTag) as error:
            raise BadSeal from error


class Mac:
    """HMAC-SHA-256 with the newest key, checkable with any."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)
        self.key_ids = tuple(hashlib.sha256(key).hexdigest()[:8] for key in keys)

    @property
    def key_id(self) -> str:
        """Id of the key that `digest` uses."""
        return self.key_ids[0]

    def digest(self, message: bytes, *, key_id: str | None = None) -> bytes:
        """The keyed hash; with `key_id`, by that key (KeyError when it is gone)."""
        if key_id is None or key_id == self.key_ids[0]:
            return hmac.digest(self._keys[0], message, "sha256")
        if key_id not in self.key_ids:
            raise KeyError(key_id)
        return hmac.digest(self._keys[self.key_ids.index(key_id)], message, "sha256")


def _read_or_make(path: Path) -> str:
    if path.exists():
        return path.read_text()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written whole under another name, then linked: nobody ever reads half a key.
    draft = path.with_name(f"{path.name}.{os.getpid()}-{random_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(make_secret() + "\n")
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    return path.read_text()
