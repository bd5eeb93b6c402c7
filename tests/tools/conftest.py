from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Commands, commands_on
from databases import Templates


@pytest.fixture(params=["sqlite", "postgresql"])
def cli(
    request: pytest.FixtureRequest,
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Commands]:
    with templates.clone(request.param) as url:
        yield from commands_on(url, tmp_path, monkeypatch)
