import pytest

from msil_mcp.observability.masking import mask, mask_text, names_a_secret


@pytest.mark.parametrize(
    "name",
    [
        *(
            "authorization",
            "Authorization",
            "proxy-authorization",
            "X-API-Key",
            "api_key",
            "apiKey",
        ),
        *("token", "access_token", "accessToken", "metrics_token", "password", "db_password"),
        *("secret", "client_secret", "secret_key", "Set-Cookie", "cookie", "credentials"),
    ],
)
def test_a_name_of_a_secret_is_recognised(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name", ["prompt_tokens", "token_type", "idempotency_key", "key", "cookies_accepted", "event"]
)
def test_a_name_that_only_resembles_one_is_not(name: str) -> None:
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key msil_k3yid_0123456789abcdefXYZ was used", "key *** was used"),
        ("Authorization: Bearer eyJhbGciOi.J9.x-y_z", "Authorization: Bearer ***"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        ("postgresql://app:s3cret@db:5432/msil", "postgresql://***@db:5432/msil"),
        ("http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/mcp"),
        ("msil_mcp.observability.logging", "msil_mcp.observability.logging"),
    ],
)
def test_a_credential_inside_a_text_is_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_secrets_are_masked_at_any_depth_and_in_lists() -> None:
    masked = mask(
        {"headers": [{"Cookie": "a=b", "accept": "text/html"}], 7: ("Bearer abcdefgh12",)}
    )
    assert masked == {"headers": [{"Cookie": "***", "accept": "text/html"}], "7": ["Bearer ***"]}


def test_a_structure_that_contains_itself_is_cut_off() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert "…" in str(mask(loop))
