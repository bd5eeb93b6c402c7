"""How the provider's keys are found, fetched and kept."""

import anyio
import pytest
from joserfc.jwk import RSAKey

from identity.provider import encoded
from msil_mcp.identity.key_sets import KeysUnavailable, ProviderKeys

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"
KEYS = "/keys"
METADATA = "/.well-known/openid-configuration"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(provider, clock, fetch):
    return ProviderKeys(issuer=provider.issuer, url=provider.jwks_url, fetch=fetch, clock=clock)


async def test_a_flood_of_made_up_key_ids_costs_the_provider_one_fetch_a_minute(
    open_door, provider
):
    async with open_door(oidc_issuer=provider.issuer, oidc_jwks_url=provider.jwks_url) as world:
        clock = Clock()
        world.identity.authenticator._tokens._keys._clock = clock
        token = provider.token()
        assert (await world.client.get(ME, headers=bearer(token))).status_code == 200
        assert provider.served[KEYS] == 1
        rest = token.partition(".")[2]

        for n in range(1000):
            clock.now += 0.12
            head = encoded({"alg": "RS256", "typ": "at+jwt", "kid": f"made-up-{n}"})
            answer = await world.client.get(ME, headers=bearer(f"{head}.{rest}"))
            assert answer.status_code == 401

    # Two minutes of flood.
    assert provider.served[KEYS] <= 3


async def test_new_key_of_the_provider_is_found_when_a_token_names_it(keys, provider, clock):
    await keys.candidates(kid="rsa-1")
    rolled = RSAKey.generate_key(2048, {"kid": "rsa-2"})
    provider.extra_keys = [rolled.as_dict(private=False)]
    clock.now += 61

    [found] = await keys.candidates(kid="rsa-2")

    assert found.kid == "rsa-2"
    assert provider.served[KEYS] == 2


async def test_many_tokens_at_once_share_one_fetch(keys, provider):
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: keys.candidates(kid="rsa-1"))

    assert provider.served[KEYS] == 1


async def test_caller_that_goes_away_does_not_end_the_fetch_of_the_others(keys, provider):
    async with anyio.create_task_group() as impatient:
        impatient.start_soon(lambda: keys.candidates(kid="rsa-1"))
        await anyio.lowlevel.checkpoint()
        impatient.cancel_scope.cancel()

    assert len(await keys.candidates(kid="rsa-1")) == 1
    assert provider.served[KEYS] == 1


async def test_keys_are_fetched_again_after_ten_minutes_and_kept_when_that_fails(
    keys, provider, clock
):
    await keys.candidates(kid="rsa-1")
    clock.now += 599
    await keys.candidates(kid="rsa-1")
    assert provider.served[KEYS] == 1

    provider.down = True
    clock.now += 2
    assert len(await keys.candidates(kid="rsa-1")) == 1
    assert provider.served[KEYS] == 2
    clock.now += 30
    assert len(await keys.candidates(kid="rsa-1")) == 1
    assert provider.served[KEYS] == 2


async def test_key_taken_back_is_refused_once_the_new_set_is_known(open_door, provider):
    async with open_door(oidc_issuer=provider.issuer, oidc_jwks_url=provider.jwks_url) as world:
        clock = Clock()
        verifier = world.identity.authenticator._tokens
        verifier._keys._clock = clock
        rolled = RSAKey.generate_key(2048, {"kid": "rsa-9"})
        provider.extra_keys = [rolled.as_dict(private=False)]
        old, other = provider.token(key=rolled), provider.token(sub="bob")
        assert (await world.client.get(ME, headers=bearer(old))).status_code == 200

        provider.extra_keys = []
        clock.now += 601
        assert (await world.client.get(ME, headers=bearer(other))).status_code == 200
        await world.refresh()

        assert (await world.client.get(ME, headers=bearer(old))).status_code == 401


async def test_without_any_keys_nothing_can_be_told_and_the_door_says_so(open_door, provider):
    provider.down = True
    async with open_door(oidc_issuer=provider.issuer, oidc_jwks_url=provider.jwks_url) as world:
        clock = Clock()
        world.identity.authenticator._tokens._keys._clock = clock
        token = provider.token()

        refused = await world.client.get(ME, headers=bearer(token))
        assert (refused.status_code, refused.json()["code"]) == (
            503,
            "identity_provider_unavailable",
        )
        key = bearer("msil_" + "x" * 52)
        assert (await world.client.get(ME, headers=key)).status_code == 401

        provider.down = False
        clock.now += 6
        assert (await world.client.get(ME, headers=bearer(token))).status_code == 200


async def test_key_set_is_found_through_the_issuers_metadata_once(provider, clock, fetch):
    keys = ProviderKeys(issuer=provider.issuer, url="", fetch=fetch, clock=clock)

    await keys.candidates(kid="rsa-1")
    clock.now += 61
    await keys.candidates(kid="unknown")

    assert (provider.served[METADATA], provider.served[KEYS]) == (1, 2)


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"jwks_uri": 7}, {"jwks_uri": "http://127.0.0.1:1/x"}],
)
async def test_metadata_that_does_not_hold_gives_no_keys(provider, clock, fetch, metadata):
    provider.metadata = metadata
    keys = ProviderKeys(issuer=provider.issuer, url="", fetch=fetch, clock=clock)

    with pytest.raises(KeysUnavailable):
        await keys.candidates(kid="rsa-1")


@pytest.mark.parametrize("document", [b"", b"[]", b'{"keys":[]}', b'{"keys":[1]}', b"<html>"])
async def test_document_that_is_no_key_set_gives_no_keys(document, clock):
    async def fetch(url):
        return document

    keys = ProviderKeys(issuer="https://idp.example", url="https://idp.example/keys", fetch=fetch)

    with pytest.raises(KeysUnavailable):
        await keys.candidates(kid="rsa-1")


async def test_key_set_of_an_https_issuer_is_not_taken_over_plain_http():
    async def fetch(url):
        return b'{"issuer":"https://idp.example","jwks_uri":"http://idp.example/keys"}'

    keys = ProviderKeys(issuer="https://idp.example", url="", fetch=fetch)

    with pytest.raises(KeysUnavailable):
        await keys.candidates(kid="rsa-1")
