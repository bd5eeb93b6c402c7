"""The web apps' typed client is generated from our own OpenAPI document."""

import json
import shlex
import subprocess
from pathlib import Path

from msil_mcp.main import create_app
from msil_mcp.settings import Settings

WEB = Path(__file__).parents[2] / "web"


def test_the_typed_client_is_what_make_api_would_write(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    app = create_app(Settings(data_dir=tmp_path))
    document.write_text(json.dumps(app.openapi(), indent=1, sort_keys=True))
    types, limits = tmp_path / "schema.ts", tmp_path / "limits.ts"
    scripts = json.loads((WEB / "packages/api/package.json").read_text())["scripts"]
    flags = shlex.split(scripts["generate"].split("&&")[0].split("src/schema.ts")[1])
    generator = WEB / "node_modules/.bin/openapi-typescript"

    _run(generator, document, "--output", types, *flags)
    _run("node", WEB / "packages/api/limits.mjs", document, limits)

    for written in (types, limits):
        committed = (WEB / "packages/api/src" / written.name).read_text(encoding="utf-8")
        assert written.read_text(encoding="utf-8") == committed, "run `make api` and commit it"


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
