"""What the backup guide says is deleted by itself is what the jobs delete, after as long."""

import re
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from msil_mcp.bus.events import RETENTION_SECONDS
from msil_mcp.jobs.runner import KEEP_DONE_SECONDS
from msil_mcp.settings import Settings
from msil_mcp.tools import drafts
from msil_mcp.webhooks import deliveries
from running import Product

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "backup-and-restore.md"
DELETE_NOTHING = {
    "approvals.expire", "audit.anchor", "documents.read", "webhook.deliver",
}  # fmt: skip
WITHOUT_A_SETTING = {
    "webhook.tidy": deliveries.KEEP,
    "jobs.tidy": timedelta(seconds=KEEP_DONE_SECONDS),
    "documents.forget_drafts": drafts.KEPT,
}
UNITS = {"DAYS": "days", "SECONDS": "seconds"}


class Row(NamedTuple):
    """A line of the guide's table."""

    what: str
    kept_for: str
    job: str


def told() -> list[Row]:
    _, _, section = GUIDE.read_text(encoding="utf-8").partition("## What is deleted by itself")
    section, _, _ = section.partition("\n## ")
    return [
        Row(*found)
        for found in re.findall(r"^\| (.+) \| (.+) \| `(.+)` \|$", section, re.MULTILINE)
    ]


async def test_the_guide_tells_of_every_job_that_deletes(embedded_product: Product) -> None:
    metrics = (await embedded_product.request("GET", "/metrics", role=None)).body.decode()
    kinds = set(re.findall(r'^mcp_job_runs_total\{kind="([\w.]+)"', metrics, re.MULTILINE))
    assert kinds >= DELETE_NOTHING
    assert sorted(row.job for row in told()) == sorted(kinds - DELETE_NOTHING)


@pytest.mark.parametrize("row", told(), ids=lambda row: row.job)
def test_what_the_guide_tells_of_is_kept_as_long_as_it_says(row: Row) -> None:
    given = re.fullmatch(r"(?:`MSIL_(\w+)` \()?(\d+) days?\)?", row.kept_for)
    if given is None:
        assert row.kept_for == "until it would have expired"
        return
    variable, days = given.groups()
    if variable is None:
        assert WITHOUT_A_SETTING[row.job] == timedelta(days=int(days))
        return
    default = Settings.model_fields[variable.lower()].default
    unit = UNITS[variable.rpartition("_")[2]]
    assert timedelta(**{unit: default}) == timedelta(days=int(days))


def test_messages_of_replicas_are_kept_as_long_as_the_guide_says() -> None:
    assert "is kept for fifteen minutes" in GUIDE.read_text(encoding="utf-8")
    assert timedelta(seconds=RETENTION_SECONDS) == timedelta(minutes=15)
