"""Access tokens through the door: which hold, and the families of those that must not."""

import base64
import time

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from identity.provider import (
    AUDIENCE,
    encoded,
    hashed,
    sign,
    unsigned,
)
from msil_mcp.identity.signatures import Signatures, UnsafeAlgorithm
from msil_mcp.identity.snapshot import IdentitySnapshot

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def guarded(open_door, provider):
    async with open_door(oidc_issuer=provider.issuer) as world:
        yield world


async def test_token_proves_its_subject_with_roles_scopes_and_attributes(guarded, provider):
    token = provider.token(
        preferred_username="alice.k",
        roles=["auditor", "unheard-of"],
        scope="openid bundle:booking tool:resolve_vehicle",
        email="alice@example.com",
        client_id="assistant",
    )

    answer = await guarded.client.get(ME, headers=bearer(token))

    assert answer.status_code == 200
    caller = answer.json()
    assert caller["id"] == f"oidc:{provider.issuer}#alice"
    assert (caller["kind"], caller["name"], caller["roles"]) == ("token", "alice.k", ["auditor"])
    assert sorted(caller["scopes"]) == ["bundle:booking", "tool:resolve_vehicle"]
    assert "audit:read" in caller["permissions"]
    assert caller["attributes"] == {"client_id": "assistant", "email": "alice@example.com"}


@pytest.mark.parametrize("name", ["rsa", "ec", "okp"])
async def test_every_published_kind_of_key_is_accepted(guarded, provider, name):
    token = provider.token(key=getattr(provider, name))

    assert (await guarded.client.get(ME, headers=bearer(token))).status_code == 200


GOOD = {
    "plain type": {"header": {"typ": "JWT"}},
    "no type": {"header": {"typ": ...}},
    "media type": {"header": {"typ": "application/at+jwt"}},
    "several audiences": {"aud": ["https://other.example", AUDIENCE]},
    "a nonce under at+jwt": {"nonce": "n"},
    "keycloak's type claim": {"header": {"typ": "JWT"}, "typ": "Bearer"},
    "own name as client, with a scope": {
        "header": {"typ": "JWT"},
        "azp": AUDIENCE,
        "scope": "tools",
    },
    "expired within the leeway": {"exp": lambda now: now - 30},
    "issued by a clock slightly ahead": {"iat": lambda now: now + 30, "nbf": lambda now: now + 30},
    "fractional times": {"exp": lambda now: now + 60.5},
    "an expiry beyond every calendar": {"exp": 10**15},
    "no roles": {"roles": ...},
    "unknown header members": {"header": {"x-team": "payments", "x5t": "abc"}},
    "a certificate chain that is not looked at": {"header": {"x5c": ["AAAA"]}},
}


@pytest.mark.parametrize("case", GOOD)
async def test_sound_token_is_accepted(guarded, provider, case):
    now = int(time.time())
    changes = {name: value(now) if callable(value) else value for name, value in GOOD[case].items()}

    answer = await guarded.client.get(ME, headers=bearer(provider.token(**changes)))

    # A token without a role is known, and may nothing.
    assert answer.status_code == (403 if case == "no roles" else 200)


def with_header(**header):
    return lambda p: p.token(header=header)


def with_claims(**claims):
    return lambda p: p.token(**claims)


def plain(**claims):
    return lambda p: p.token(header={"typ": "JWT"}, **claims)


def stranger(**header):
    """Signed by a key of the attacker's who also says where to find it."""
    return lambda p: p.token(key=p.stranger, header=header(p) if callable(header) else header)


def confused(p, *, alg="HS256"):
    header = {"alg": alg, "kid": "rsa-1", "typ": "at+jwt"}
    pem = p.rsa.as_pem(private=False)
    return hashed(header, p.claims(), secret=pem, digest=f"sha{alg[2:]}")


def resigned(p, **claims):
    """A good token's signature under other claims."""
    head, _, signature = p.token().split(".")
    return f"{head}.{encoded(p.claims(**claims))}.{signature}"


def raw_header(p, text):
    head = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return ".".join([head, *p.token().split(".")[1:]])


def ago(seconds):
    return int(time.time()) - seconds


BAD = {
    # no signature at all
    "alg none": lambda p: unsigned({"alg": "none", "typ": "at+jwt"}, p.claims()),
    "alg None": lambda p: unsigned({"alg": "None", "typ": "at+jwt"}, p.claims()),
    "alg none with the signature of another": lambda p: raw_header(p, '{"alg":"none"}'),
    "alg missing": lambda p: unsigned({"typ": "at+jwt"}, p.claims()),
    "alg not a string": lambda p: raw_header(p, '{"alg":["RS256"]}'),
    "signature missing": lambda p: p.token().rpartition(".")[0] + ".",
    # algorithms
    "HS256 with the public key as secret": confused,
    "HS512 with the public key as secret": lambda p: confused(p, alg="HS512"),
    "HS256 with an empty secret": lambda p: hashed(
        {"alg": "HS256", "kid": "rsa-1"}, p.claims(), secret=b"", digest="sha256"
    ),
    "algorithm not pinned": lambda p: sign(
        {"alg": "RS512", "kid": "rsa-1", "typ": "at+jwt"}, p.claims(), p.rsa
    ),
    "algorithm of another kind of key": lambda p: sign(
        {"alg": "RS256", "kid": "ec-1", "typ": "at+jwt"}, p.claims(), p.rsa
    ),
    # keys the token brings along
    "embedded jwk": lambda p: p.token(
        key=p.stranger, header={"jwk": p.stranger.as_dict(private=False)}
    ),
    "embedded jwk without kid": lambda p: p.token(
        key=p.stranger, header={"jwk": p.stranger.as_dict(private=False), "kid": ...}
    ),
    "jku of the attacker": lambda p: p.token(
        key=p.stranger, header={"jku": f"{p.issuer}/attacker"}
    ),
    "x5u of the attacker": lambda p: p.token(
        key=p.stranger, header={"x5u": f"{p.issuer}/attacker"}
    ),
    "x5c of the attacker": lambda p: p.token(key=p.stranger, header={"x5c": ["AAAA"]}),
    "stranger's key under a known kid": lambda p: p.token(key=p.stranger),
    "kid nobody published": with_header(kid="rsa-2"),
    "kid with a path": with_header(kid="../../dev/null"),
    "kid not a string": lambda p: raw_header(p, '{"alg":"RS256","kid":{}}'),
    # critical extensions
    "unknown crit": with_header(crit=["exp2"], exp2=1),
    "empty crit": with_header(crit=[]),
    "crit b64": with_header(crit=["b64"], b64=False),
    "b64 alone": with_header(b64=True),
    # whose token, and for whom
    "other issuer": with_claims(iss="https://evil.example"),
    "issuer with a slash more": lambda p: p.token(iss=p.issuer + "/"),
    "issuer missing": with_claims(iss=...),
    "other audience": with_claims(aud="https://other.example"),
    "audience that begins like ours": with_claims(aud=AUDIENCE + "x"),
    "audience list without us": with_claims(aud=["a", "b"]),
    "audience missing": with_claims(aud=...),
    "audience not a string": with_claims(aud={"a": 1}),
    "subject missing": with_claims(sub=...),
    "subject empty": with_claims(sub=""),
    "subject a number": with_claims(sub=7),
    # times
    "expired": lambda p: p.token(exp=ago(61)),
    "expiry missing": with_claims(exp=...),
    "expiry a string": lambda p: p.token(exp=str(ago(-300))),
    "expiry true": with_claims(exp=True),
    "not valid yet": lambda p: p.token(nbf=ago(-120)),
    "issued in the future": lambda p: p.token(iat=ago(-120)),
    # other kinds of token
    "type of another token": with_header(typ="logout+jwt"),
    "type dpop": with_header(typ="dpop+jwt"),
    "ID token: nonce": plain(nonce="n"),
    "ID token: at_hash": plain(at_hash="x"),
    "ID token: keycloak": plain(typ="ID"),
    "ID token: cognito": plain(token_use="id"),
    "ID token: authorised party and audience are us": plain(azp=AUDIENCE),
    "refresh token": plain(typ="Refresh"),
    "logout token": plain(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    # damage
    "truncated": lambda p: p.token()[:-20],
    "one byte of the signature changed": lambda p: p.token()[:-10] + "AAAAAAAAAA",
    "claims exchanged under a signature": lambda p: resigned(p, roles=["administrator"]),
    "oversized": with_claims(padding="x" * 9000),
    "two parts": lambda p: p.token().rpartition(".")[0],
    "four parts": lambda p: p.token() + ".x",
    "five parts, encrypted": lambda p: f"{p.token()}.d.e",
    "header not base64": lambda p: "%%%." + p.token().partition(".")[2],
    "header not an object": lambda p: raw_header(p, '"alg"'),
    "header nested deep": lambda p: raw_header(p, '{"alg":"RS256","a":' + "[" * 2500),
    "header with NaN": lambda p: raw_header(p, '{"alg":"RS256","a":NaN}'),
    "claims not an object": lambda p: sign(
        {"alg": "RS256", "kid": "rsa-1", "typ": "at+jwt"}, [1], p.rsa
    ),
}


@pytest.mark.parametrize("family", BAD)
async def test_bad_token_is_refused(guarded, provider, family):
    answer = await guarded.client.get(ME, headers=bearer(BAD[family](provider)))

    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_token"
    assert answer.headers["www-authenticate"] == (
        'Bearer error="invalid_token", resource_metadata='
        '"http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"'
    )
    assert provider.served["/attacker"] == 0


async def test_bad_token_says_nothing_of_how_it_was_nearly_right(guarded, provider):
    wrong = await guarded.client.get(ME, headers=bearer(provider.token(key=provider.stranger)))

    assert wrong.json()["detail"] == (
        "The access token was refused: no published key of the identity provider made its "
        "signature. Sign in again at your identity provider."
    )


async def test_verified_token_is_remembered_only_until_it_expires(guarded, provider):
    token = provider.token(exp=int(time.time()) + 30)
    assert (await guarded.client.get(ME, headers=bearer(token))).status_code == 200

    later = time.time() + 91
    authenticator = guarded.identity.authenticator
    authenticator._clock = authenticator._tokens._clock = lambda: later

    refused = await guarded.client.get(ME, headers=bearer(token))
    assert refused.json()["code"] == "invalid_token"
    assert "expired" in refused.json()["detail"]


async def test_token_verified_before_needs_no_second_look_after_a_new_snapshot(guarded, provider):
    token = provider.token(roles=["auditor"])
    assert (await guarded.client.get(ME, headers=bearer(token))).json()["roles"] == ["auditor"]
    provider.down = True

    await guarded.refresh()
    assert (await guarded.client.get(ME, headers=bearer(token))).json()["roles"] == ["auditor"]

    guarded.identity.authenticator.use(IdentitySnapshot(roles={"user": frozenset()}))
    assert (await guarded.client.get(ME, headers=bearer(token))).status_code == 403


async def test_memory_of_tokens_and_callers_is_bounded(guarded, provider, monkeypatch):
    monkeypatch.setattr("msil_mcp.identity.tokens.CACHED_TOKENS", 3)
    monkeypatch.setattr("msil_mcp.identity.authentication.CACHED_PRINCIPALS", 3)
    tokens = [provider.token(sub=f"s{number}") for number in range(6)]

    for token in (*tokens, *tokens):
        assert (await guarded.client.get(ME, headers=bearer(token))).status_code == 200

    authenticator = guarded.identity.authenticator
    assert (len(authenticator._known), len(authenticator._tokens._held)) == (3, 3)


@pytest.mark.parametrize(
    ("path", "claims", "roles"),
    [
        ("roles", {"roles": "auditor operator"}, ["auditor", "operator"]),
        ("realm_access.roles", {"realm_access": {"roles": ["auditor"]}}, ["auditor"]),
        ("https://example.com/roles", {"https://example.com/roles": ["auditor"]}, ["auditor"]),
        ("realm_access.roles", {"realm_access": ["auditor"]}, ["user"]),
        ("roles", {"roles": {"auditor": True}}, ["user"]),
        ("roles", {"roles": [1, None, "auditor"]}, ["auditor"]),
    ],
)
async def test_roles_come_from_the_configured_claim_or_are_the_default(
    open_door, provider, path, claims, roles
):
    async with open_door(
        oidc_issuer=provider.issuer, oidc_roles_claim=path, oidc_default_role="user"
    ) as world:
        token = provider.token(**({"roles": ...} | claims))
        answer = await world.client.get(ME, headers=bearer(token))

    assert sorted(answer.json()["roles"]) == roles


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, None),
        ({"scope": "openid profile"}, None),
        ({"scope": "openid tools"}, ["tools"]),
        ({"scp": ["tool:x"]}, ["tool:x"]),
        ({"scope": "bundle:a", "scp": "tools"}, ["bundle:a"]),
    ],
)
async def test_scopes_narrow_only_when_they_speak_of_tools(guarded, provider, claims, scopes):
    answer = await guarded.client.get(ME, headers=bearer(provider.token(**claims)))

    assert answer.json()["scopes"] == scopes


async def test_configured_audience_replaces_the_default(open_door, provider):
    async with open_door(oidc_issuer=provider.issuer, oidc_audience="api://msil") as world:
        ours = await world.client.get(ME, headers=bearer(provider.token(aud="api://msil")))
        default = await world.client.get(ME, headers=bearer(provider.token()))

    assert (ours.status_code, default.status_code) == (200, 401)


@pytest.mark.parametrize("algorithms", [["HS256"], ["none"], ["RS256", "HS384"], []])
async def test_algorithms_without_a_public_key_cannot_be_pinned(algorithms):
    with pytest.raises(UnsafeAlgorithm):
        Signatures(algorithms, max_bytes=1)


async def test_weak_symmetric_and_encryption_keys_are_not_used(guarded, provider):
    def published(key, kid, **members):
        return key.as_dict(private=False) | {"kid": kid} | members

    with pytest.warns(UserWarning, match="2048"):
        weak = RSAKey.generate_key(1024, {"kid": "weak"})
    secret = OctKey.import_key(b"s" * 32, {"kid": "shared"})
    closed = ECKey.generate_key("P-256", {"kid": "enc"})
    provider.extra_keys = [
        published(weak, "weak"),
        secret.as_dict(private=True),
        published(closed, "enc", use="enc"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "new-thing", "kid": "later"},
    ]

    for key in (weak, secret, closed):
        answer = await guarded.client.get(ME, headers=bearer(provider.token(key=key)))
        assert answer.status_code == 401
    assert (await guarded.client.get(ME, headers=bearer(provider.token()))).status_code == 200
