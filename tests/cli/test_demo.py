"""What the demo says of the web pages: that they are there when they are, and how to enter them."""

from pathlib import Path

import pytest

from msil_mcp.cli.demo import pages, with_one_click
from msil_mcp.settings import Settings

URL = "http://127.0.0.1:8000"


def settings(**changes: object) -> Settings:
    return with_one_click(Settings(_env_file=None, data_dir=Path("unused"), **changes))


def test_pages_that_were_built_are_named_with_the_way_in() -> None:
    text = pages(settings(), password="shown once", built=True)

    assert f"{URL}/chat\n" in text
    assert f"{URL}/admin\n" in text
    assert "One click signs you in." in text
    assert "password shown once (shown only now)" in text


def test_pages_that_were_not_built_are_not_claimed() -> None:
    text = pages(settings(), password=None, built=False)

    assert text.startswith("The web pages are not built yet. With Node 20: make web\n")


@pytest.mark.parametrize("changes", [{"loopback_sign_in": False}, {"public_url": "https://a.b"}])
def test_one_click_is_not_promised_where_it_would_be_refused(changes: dict[str, object]) -> None:
    text = pages(settings(**changes), password=None, built=True)

    assert "click" not in text
    assert not text.endswith("\n")
