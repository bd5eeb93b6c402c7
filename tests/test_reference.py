"""The reference says what the code says."""

import runpy
from pathlib import Path

import pytest

from booking_api.settings import BookingSettings
from msil_mcp.settings import Settings

ROOT = Path(__file__).parent.parent
RENDER = runpy.run_path(str(ROOT / "scripts" / "render_reference.py"))


@pytest.mark.parametrize("page", RENDER["PAGES"])
def test_page_says_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == RENDER["PAGES"][page](), f"docs/reference/{page} is stale: run make docs"


@pytest.mark.parametrize("settings", [Settings, BookingSettings])
def test_every_setting_says_what_it_means(settings: type[Settings | BookingSettings]) -> None:
    silent = [name for name, field in settings.model_fields.items() if not field.description]
    assert silent == []
