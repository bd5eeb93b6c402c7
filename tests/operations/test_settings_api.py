"""The settings in force over REST: values, sources, and no secret."""

from pathlib import Path
from typing import Any

import pytest

from msil_mcp.operations.effective import effective_settings
from msil_mcp.settings import Settings
from running import Product

pytestmark = pytest.mark.anyio
PASSWORD = "correct-horse"


def views(settings: Settings) -> dict[str, Any]:
    return {view.name: view for view in effective_settings(settings)}


async def test_every_setting_is_shown_with_what_it_is_for(shared_product: Product) -> None:
    reply = await shared_product.request("GET", "/api/settings", role="operator")
    assert reply.status == 200
    found = {one["name"]: one for one in reply.json["settings"]}
    assert len(found) == len(Settings.model_fields)
    assert all(one["description"] for one in found.values())
    port = found["PORT"]
    assert (port["value"], port["default"], port["source"]) == (
        shared_product.settings.port, 8000, "command",
    )  # fmt: skip
    assert (found["LOG_LEVEL"]["kind"], found["LOG_LEVEL"]["choices"][0]) == ("choice", "debug")
    assert found["MSIL_REDACT_OUTPUT"]["value"] == []
    assert found["MSIL_RATE_BURST"]["group"] == "calls"


async def test_a_secret_is_only_set_or_not(shared_product: Product) -> None:
    reply = await shared_product.request("GET", "/api/settings", role="operator")
    found = {one["name"]: one for one in reply.json["settings"]}
    key = found["MSIL_SECRET_KEY"]
    assert (key["kind"], key["is_set"], key["value"]) == ("secret", True, None)
    assert found["OPENAI_API_KEY"]["is_set"] is False
    secret = shared_product.settings.secret_key
    assert secret is not None
    assert secret.get_secret_value() not in reply.body.decode()


async def test_settings_are_for_operators(shared_product: Product) -> None:
    for role in ("user", "integrator", "auditor"):
        reply = await shared_product.request("GET", "/api/settings", role=role)
        assert (reply.status, reply.json["permission"]) == (403, "settings:read")


def test_where_a_value_comes_from_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MSIL_RATE_BURST=7\nMSIL_DRAIN_SECONDS=3\n")
    monkeypatch.setenv("MSIL_RATE_BURST", "9")
    monkeypatch.setenv("msil_public_url", "https://here.example")
    found = views(Settings().model_copy(update={"port": 9000}))
    assert (found["MSIL_RATE_BURST"].source, found["MSIL_RATE_BURST"].value) == ("environment", 9)
    assert found["MSIL_DRAIN_SECONDS"].source == "dotenv"
    assert found["MSIL_PUBLIC_URL"].source == "environment"
    assert found["PORT"].source == "command"
    assert found["MSIL_DATA_DIR"].source == "default"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"postgresql://msil:{PASSWORD}@db/msil", "postgresql://msil:***@db/msil"),
        (
            f"postgresql://db/msil?user=a&password={PASSWORD}",
            "postgresql://db/msil?user=a&password=***",
        ),
        ("postgresql://msil@db/msil", "postgresql://msil@db/msil"),
    ],
)
def test_no_password_is_shown_wherever_it_stands_in_an_address(given: str, shown: str) -> None:
    found = views(Settings(_env_file=None, database_url=given, secret_key="x" * 44))
    assert found["DATABASE_URL"].value == shown


def test_nothing_secret_is_shown_of_any_setting() -> None:
    """Every text and secret holds the password somewhere."""
    address = f"https://someone:{PASSWORD}@host.example/path"
    given: dict[str, Any] = {
        name: PASSWORD
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    given |= {"redis_url": address, "https_proxy": address, "otel_exporter_otlp_endpoint": address}
    given |= {"secret_key": "x" * 44, "oidc_issuer": "https://id.example", "oidc_client_id": "me"}
    found = views(Settings(_env_file=None, **given))
    assert PASSWORD not in repr(found)
    assert found["MSIL_METRICS_TOKEN"].is_set
