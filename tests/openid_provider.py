"""An OpenID Connect provider for tests: a small server that signs people in, and can be wrong.

It holds its clients to the authorization code flow with PKCE as the specifications have it; what a
test wants broken it sets in `Faults`.
"""

import base64
import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from running import serving

Claims = dict[str, Any]


@dataclass
class Faults:
    """How the provider misbehaves; nothing of it by default."""

    id_token: Callable[[Claims], Claims] = lambda claims: claims
    answer: Callable[[Claims], Claims] = lambda answer: answer
    signed_by_a_stranger: bool = False
    codes_last: bool = False
    metadata: Claims = field(default_factory=dict)
    told: Claims | None = None
    back: Claims = field(default_factory=dict)
    down: bool = False


@dataclass
class OpenIdProvider:
    """One client is registered with it, and one person is at its keyboard."""

    client_id: str = "msil"
    client_secret: str | None = "a secret of the client"
    issuer: str = ""
    person: Claims = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    served: Counter[str] = field(default_factory=Counter)
    redirect_uris: set[str] = field(default_factory=set)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    stranger: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    _codes: dict[str, Claims] = field(default_factory=dict)

    def reset(self) -> None:
        """As new, with Asha at the keyboard."""
        self.faults = Faults()
        self.client_secret = "a secret of the client"
        self.served.clear()
        self.person = {
            "sub": "248289761001",
            "preferred_username": "asha.k",
            "name": "Asha K",
            "email": "asha@example.com",
            "roles": ["user"],
        }

    async def metadata(self, request: Request) -> Response:
        if self.faults.down:
            return Response(status_code=503)
        self.served["metadata"] += 1
        return JSONResponse(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/logout",
                "code_challenge_methods_supported": ["S256"],
            }
            | self.faults.metadata
        )

    async def keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        """The person is signed in already, so the way back is the answer."""
        asked = dict(request.query_params)
        wanted = {"response_type": "code", "client_id": self.client_id}
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        if asked.get("redirect_uri") not in self.redirect_uris:
            wrong.append("redirect_uri")
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            wrong.append("code_challenge")
        if "openid" not in asked.get("scope", "").split() or not asked.get("nonce"):
            wrong.append("scope or nonce")
        if wrong:
            return Response(f"refused: {wrong}", status_code=400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer} | self.faults.back
        back = {name: value for name, value in back.items() if value is not None}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    async def token(self, request: Request) -> Response:
        self.served["token"] += 1
        form = await request.form()
        if not self._knows_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        code = str(form.get("code", ""))
        asked = self._codes.get(code) if self.faults.codes_last else self._codes.pop(code, None)
        challenge = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or _encoded(challenge) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe(16)
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self._id_token(nonce=asked["nonce"], access_token=access_token),
        }
        return JSONResponse(self.faults.answer(answer))

    async def userinfo(self, request: Request) -> Response:
        self.served["userinfo"] += 1
        told = {"sub": self.person["sub"]} if self.faults.told is None else self.faults.told
        return JSONResponse(told)

    def _knows_client(self, request: Request, form: Any) -> bool:
        if self.client_secret is None:
            return bool(form.get("client_id") == self.client_id)
        given = f"{self.client_id}:{self.client_secret}".encode()
        basic = f"Basic {base64.b64encode(given).decode()}"
        if "client_secret_post" in self.faults.metadata.get(
            "token_endpoint_auth_methods_supported", []
        ):
            return bool(form.get("client_secret") == self.client_secret)
        return request.headers.get("authorization") == basic

    def _id_token(self, *, nonce: str, access_token: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "at_hash": _encoded(hashlib.sha256(access_token.encode()).digest()[:16]),
        } | self.person
        key = self.stranger if self.faults.signed_by_a_stranger else self.key
        return jwt.encode({"alg": "RS256", "kid": "one"}, self.faults.id_token(claims), key)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.metadata),
                Route("/keys", self.keys),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/userinfo", self.userinfo),
            ]
        )


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    """The provider on a loopback port."""
    provider = OpenIdProvider()
    provider.reset()
    with serving(provider.app()) as (url, _):
        provider.issuer = url
        yield provider
