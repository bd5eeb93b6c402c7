"""The package that is installed has the built apps in it, though git does not keep them."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_what_was_built_is_in_the_wheel(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    without_build = shutil.ignore_patterns("static", "__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=without_build)
    assets = tmp_path / "src" / "msil_mcp" / "pages" / "static" / "chat" / "assets"
    assets.mkdir(parents=True)
    (assets / "app-1a2b.js.br").write_bytes(b"compressed")

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    [wheel] = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "msil_mcp/pages/static/chat/assets/app-1a2b.js.br" in names
    assert "msil_mcp/main.py" in names
