"""Running `msil-mcp` in process, against a database of the test's own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from databases import SECRET
from msil_mcp.cli import build


@dataclass
class Commands:
    folder: Path

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
        """Standard output of a command that must end with `code`; with an error, its line."""
        done = CliRunner().invoke(build(arguments), arguments, input=stdin, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.stderr or done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def write(self, name: str, content: object) -> str:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)


def commands_on(url: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Commands]:
    patch.chdir(folder)
    patch.setenv("DATABASE_URL", url)
    patch.setenv("MSIL_SECRET_KEY", SECRET)
    patch.setenv("MSIL_DATA_DIR", str(folder))
    yield Commands(folder)
