"""OAuth protected resource metadata (RFC 9728): what a client without a token is led to."""

import re
from collections.abc import Iterator

import pytest

from bare_client import MODERN, Talk
from conformance.fixture_app import FixtureApp
from msil_mcp.settings import Settings
from running import serving

ISSUER = "https://login.example.com/realm"
PUBLIC = "https://tools.example.com"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    settings = Settings(public_url=PUBLIC, oidc_issuer=ISSUER, _env_file=None)
    with serving(FixtureApp(settings=settings).create()) as (url, _):
        yield url


@pytest.mark.parametrize("address", ["/mcp", "/mcp/service_booking"])
def test_a_challenge_leads_to_the_metadata_of_its_address(base_url: str, address: str) -> None:
    refused = Talk(base_url + address, MODERN).ask("tools/list", X_Caller="nobody")
    found = re.search('resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
    assert found is not None
    pointer = found[1].removeprefix(PUBLIC)

    metadata = Talk(base_url + pointer, MODERN).send("GET", None, {})

    assert metadata.status == 200
    assert metadata.json["resource"] == PUBLIC + address
    assert metadata.json["authorization_servers"] == [ISSUER]
    assert metadata.json["bearer_methods_supported"] == ["header"]
    assert metadata.json["scopes_supported"] == ["tools"]


def test_without_an_issuer_none_is_named(url: str) -> None:
    base_url = url.removesuffix("/mcp")

    metadata = Talk(base_url + "/.well-known/oauth-protected-resource", MODERN).send(
        "GET", None, {}
    )

    assert metadata.json["resource"].endswith("/mcp")
    assert "authorization_servers" not in metadata.json


@pytest.mark.parametrize("suffix", ["/other", "X", "/mcp/a/b"])
def test_other_resources_have_no_metadata(base_url: str, suffix: str) -> None:
    address = f"{base_url}/.well-known/oauth-protected-resource{suffix}"

    assert Talk(address, MODERN).send("GET", None, {}).status == 404


def test_metadata_is_read_only(base_url: str) -> None:
    address = f"{base_url}/.well-known/oauth-protected-resource"

    assert Talk(address, MODERN).send("POST", b"", {}).status == 405
