"""The authorization code flow with PKCE, by authlib; its requests go through egress.

Imported when the first person signs in, since the libraries take a while to load.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import httpx2
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from typing_extensions import override

from msil_mcp.egress import EgressError
from msil_mcp.errors import Unauthenticated
from msil_mcp.identity.attempts import Attempt
from msil_mcp.identity.claims import RoleClaims
from msil_mcp.identity.discovery import ProviderMetadata, ProviderUnavailable
from msil_mcp.identity.key_sets import ProviderKeys
from msil_mcp.identity.provider_requests import ProviderSend
from msil_mcp.identity.signatures import SignatureRefused, Signatures
from msil_mcp.locales import Message
from msil_mcp.settings import Settings

LEEWAY_SECONDS: Final = 60
MAX_ID_TOKEN_BYTES: Final = 64 << 10
_OF_THE_CONNECTION: Final = frozenset(
    {"host", "connection", "content-length", "accept-encoding", "user-agent"}
)


class ProviderRefused(Unauthenticated):
    """The provider did not confirm who this is, or in a way that does not hold."""

    slug = "provider_refused"

    def __init__(self, why: Message) -> None:
        super().__init__(why=why)


class _ThroughEgress(httpx2.AsyncBaseTransport):
    """Carries the library's requests over the guarded client."""

    def __init__(self, send: ProviderSend) -> None:
        self._send = send

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _OF_THE_CONNECTION
        ]
        body = await request.aread()
        answer = await self._send(request.method, str(request.url), headers, body or None)
        # The body is decompressed already, so of its description only the type still holds.
        described = {"content-type": answer.headers.get("Content-Type", "")}
        return httpx2.Response(answer.status, headers=described, content=answer.body)


class CodeFlow:
    """Speaks with one provider as the client that the settings describe."""

    def __init__(self, settings: Settings, *, keys: ProviderKeys, send: ProviderSend) -> None:
        self._settings = settings
        self._keys = keys
        self._roles = RoleClaims.from_settings(settings)
        self._transport = _ThroughEgress(send)
        self._signatures = Signatures(settings.oidc_algorithms, max_bytes=MAX_ID_TOKEN_BYTES)
        self._redirect_uri = f"{settings.base_url}/api/auth/oidc/callback"

    def _client(self, metadata: ProviderMetadata) -> AsyncOAuth2Client:
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=_auth_method(metadata, secret=secret is not None),
            scope=self._settings.oidc_scopes,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            transport=self._transport,
            trust_env=False,
        )

    def authorization_url(self, attempt: Attempt, metadata: ProviderMetadata) -> str:
        """Where the browser goes to sign in."""
        if not metadata.authorization_endpoint:
            raise ProviderUnavailable
        url, _ = self._client(metadata).create_authorization_url(
            metadata.authorization_endpoint,
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
        )
        return str(url)

    async def prove(
        self, code: str, *, attempt: Attempt, metadata: ProviderMetadata
    ) -> Mapping[str, Any]:
        """The claims that hold of whoever brought the code, or ProviderRefused."""
        client = self._client(metadata)
        try:
            answer = await client.fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.verifier,
            )
        except AuthlibBaseError as error:
            raise ProviderRefused(
                Message("reasons.provider.says", said=f"{error.error!s:.80}")
            ) from error
        except (httpx2.HTTPError, EgressError, ValueError) as error:
            raise ProviderUnavailable from error
        claims = await self._read_id_token(dict(answer), nonce=attempt.nonce)
        if metadata.userinfo_endpoint and self._says_little(claims):
            claims = await self._ask_for_more(client, metadata.userinfo_endpoint, claims) | claims
        return claims

    def _says_little(self, claims: Mapping[str, Any]) -> bool:
        """Some providers keep their ID tokens small, and tell names and roles when asked."""
        named = claims.get("name") or claims.get("preferred_username")
        return not named or self._roles.read(claims) is None

    async def _read_id_token(self, answer: Mapping[str, Any], *, nonce: str) -> dict[str, Any]:
        token = answer.get("id_token")
        if not isinstance(token, str) or len(token) > MAX_ID_TOKEN_BYTES:
            raise ProviderRefused(Message("reasons.provider.no_token"))
        raw = token.encode()
        try:
            header = self._signatures.read_header(raw)
            candidates = await self._keys.candidates(kid=header.kid)
            payload = self._signatures.signed_payload(raw, candidates)
            claims = msgspec.json.decode(payload, type=dict[str, Any])
            self._judge(claims, alg=header.alg, nonce=nonce, answer=answer)
        except SignatureRefused as error:
            raise ProviderRefused(error.why) from error
        except (JoseError, msgspec.MsgspecError, TypeError, RecursionError) as error:
            raise ProviderRefused(_complaint(error)) from error
        return claims

    def _judge(
        self, claims: dict[str, Any], *, alg: str, nonce: str, answer: Mapping[str, Any]
    ) -> None:
        """OpenID Connect Core 1.0, section 3.1.3.7."""
        token = CodeIDToken(
            claims,
            # The library derives the hash of `at_hash` from the older name of the algorithm.
            {"alg": "EdDSA" if alg.startswith("Ed") else alg},
            {
                "iss": {"essential": True, "value": self._settings.oidc_issuer},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
                "sub": {"essential": True},
            },
            {
                "nonce": nonce,
                "client_id": self._settings.oidc_client_id,
                "access_token": answer.get("access_token"),
            },
        )
        token.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)

    async def _ask_for_more(
        self, client: AsyncOAuth2Client, url: str, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the provider tells of the person beside the ID token, where it may be read."""
        try:
            answer = await client.get(url)
            told = msgspec.json.decode(answer.raise_for_status().content, type=dict[str, Any])
        except (AuthlibBaseError, httpx2.HTTPError, EgressError, msgspec.MsgspecError) as error:
            raise ProviderUnavailable from error
        if told.get("sub") != claims["sub"]:
            raise ProviderRefused(Message("reasons.provider.somebody_else"))
        return told


def _auth_method(metadata: ProviderMetadata, *, secret: bool) -> str:
    if not secret:
        return "none"
    supported = metadata.token_endpoint_auth_methods_supported or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"


def _complaint(error: Exception) -> Message:
    claim = getattr(error, "claim", None)
    if claim is None:
        return Message("reasons.provider.unreadable")
    if type(error).__name__ == "ExpiredTokenError":
        return Message("reasons.provider.expired")
    return Message("reasons.provider.wrong", claim=claim)
