"""The code that is shown to people who connect runs as it stands."""

import asyncio
from pathlib import Path

from conformance.conftest import PACKAGES
from databases import Templates, settings_for
from nodes import Node
from running import product


def test_the_typescript_code_runs_as_it_stands(
    templates: Templates, booking_url: str, node: Node, tmp_path: Path
) -> None:
    with (
        templates.clone("sqlite") as url,
        product(settings_for(url), booking_url=booking_url) as running,
    ):
        found = asyncio.run(running.request("GET", "/api/connect")).json
        [client] = [one for one in found["clients"] if one["id"] == "typescript"]
        code = client["snippets"][0]
        script = tmp_path / code["file"]
        script.write_text(code["text"].replace("YOUR_KEY", running.keys["user"]))
        (tmp_path / "node_modules").symlink_to(PACKAGES)
        run = node.run(str(script), home=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "resolve_vehicle - " in run.stdout
