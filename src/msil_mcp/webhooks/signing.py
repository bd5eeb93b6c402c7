"""Signatures by the Standard Webhooks scheme (symmetric, version v1).

Signed is `{webhook-id}.{webhook-timestamp}.{body}` with HMAC-SHA-256 under the bytes that follow
`whsec_` in base64. While a secret is being rotated there are two signatures, newest first.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


def new_secret() -> str:
    """A fresh secret, as its receiver keeps it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(
    body: bytes, *, message_id: str, timestamp: int, secrets_in_force: Sequence[str]
) -> dict[str, str]:
    """The three headers; `timestamp` in seconds of the epoch, of this very attempt."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in secrets_in_force),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
