"""An identity provider for tests: a real HTTP server with a key set, and a maker of tokens."""

import base64
import hmac
import json
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

AUDIENCE = "http://127.0.0.1:8000/mcp"


class Signing(JWSRegistry):
    """Signs with any algorithm and any header, as an attacker would."""

    max_header_length = 100_000

    def get_alg(self, name):
        return self.algorithms[name]

    def check_header(self, header):
        """Everything goes."""


@dataclass
class Provider:
    issuer: str = ""
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "rsa-1"}))
    ec: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "ec-1"}))
    okp: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519", {"kid": "ed-1"}))
    stranger: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "rsa-1"}))
    served: Counter = field(default_factory=Counter)
    down: bool = False
    extra_keys: list = field(default_factory=list)
    metadata: dict = field(default_factory=dict)

    @property
    def jwks_url(self):
        return f"{self.issuer}/keys"

    def reset(self):
        self.served.clear()
        self.down, self.extra_keys, self.metadata = False, [], {}

    def claims(self, **changes):
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "alice",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "roles": ["user"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, *, key=None, header=None, **claims):
        key = key or self.rsa
        alg = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA", "oct": "HS256"}[key.key_type]
        header = {"alg": alg, "kid": key.kid, "typ": "at+jwt", **(header or {})}
        header = {name: value for name, value in header.items() if value is not ...}
        return sign(header, self.claims(**claims), key)


def sign(header, claims, key):
    return jws.serialize_compact(header, json.dumps(claims), key, registry=Signing())


def unsigned(header, claims):
    return ".".join([encoded(header), encoded(claims), ""])


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hashed(header, claims, *, secret, digest):
    """A token under a symmetric algorithm, made by hand: the library refuses such secrets."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    tag = hmac.digest(secret, signed.encode(), digest)
    return f"{signed}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


@asynccontextmanager
async def running_provider():
    provider = Provider()

    async def answer(request):
        provider.served[request.path] += 1
        if provider.down:
            return web.Response(status=503)
        if request.path == "/.well-known/openid-configuration":
            described = {"issuer": provider.issuer, "jwks_uri": provider.jwks_url}
            return web.json_response(described | provider.metadata)
        keys = [provider.rsa, provider.ec, provider.okp]
        published = [key.as_dict(private=False) for key in keys]
        return web.json_response({"keys": published + provider.extra_keys})

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
