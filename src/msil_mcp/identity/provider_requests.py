"""Requests to the identity provider: through egress, and nowhere else.

The provider was named in the settings, so an address that is refused to others is allowed.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msil_mcp.egress import Answer, Egress, EgressError, FetchFailed
from msil_mcp.identity.discovery import Fetch

PROVIDER_SECONDS: Final = 5.0
PROVIDER_BYTES: Final = 256 << 10
PURPOSE: Final = "identity_provider"

ProviderSend = Callable[[str, str, list[tuple[str, str]], bytes | None], Awaitable[Answer]]
"""Send method, URL, headers and body; an answer of any status, or an EgressError."""


def provider_documents(egress: Egress) -> Fetch:
    """Get an identity provider's documents, by way of the proxy or from a private network."""

    async def get(url: str, *, allow_private: bool) -> bytes:
        answer = await egress.fetch(
            url,
            purpose=PURPOSE,
            timeout_seconds=PROVIDER_SECONDS,
            max_bytes=PROVIDER_BYTES,
            allow_private=allow_private,
        )
        return answer.body

    async def fetch(url: str) -> bytes:
        try:
            return await get(url, allow_private=False)
        except FetchFailed:
            raise
        except EgressError:
            return await get(url, allow_private=True)

    return fetch


def provider_requests(egress: Egress) -> ProviderSend:
    """Send what signing in needs sent; a code can be used once, so nothing is sent twice."""

    async def send(
        method: str, url: str, headers: list[tuple[str, str]], body: bytes | None
    ) -> Answer:
        async def request(*, allow_private: bool) -> Answer:
            return await egress.request(
                method=method,
                url=url,
                headers=headers,
                body=body,
                timeout_seconds=PROVIDER_SECONDS,
                max_bytes=PROVIDER_BYTES,
                purpose=PURPOSE,
                allow_private=allow_private,
            )

        try:
            return await request(allow_private=False)
        except EgressError as error:
            if error.dispatched:
                raise
            return await request(allow_private=True)

    return send
