"""The chart as Helm renders it for each value set, once for all tests of a worker; linters."""

import importlib.util
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.charts import DEPLOY, SETS, Rendered, render, values_of


@pytest.fixture(scope="session")
def helm() -> None:
    """Helm's library, or a skip; with MSIL_REQUIRE_ALL=1 its absence is a failure."""
    if importlib.util.find_spec("helm_python") is not None:
        return
    said = "helm-python-sdk has no build for this machine"
    if os.environ.get("MSIL_REQUIRE_ALL") == "1":
        pytest.fail(f"{said}, and MSIL_REQUIRE_ALL=1 asks for all parts")
    pytest.skip(said)


@pytest.fixture(scope="session")
def every_chart(helm: None) -> dict[str, Rendered]:
    return dict(zip(SETS, render(*map(values_of, SETS)), strict=True))


@pytest.fixture(params=SETS)
def chart(request: pytest.FixtureRequest, every_chart: dict[str, Rendered]) -> Rendered:
    return every_chart[request.param]


@pytest.fixture
def prod(every_chart: dict[str, Rendered]) -> Rendered:
    return every_chart["prod"]


@pytest.fixture
def dev(every_chart: dict[str, Rendered]) -> Rendered:
    return every_chart["dev"]


@pytest.fixture(scope="session")
def linter() -> Callable[..., str]:
    """Runs a linter of the development lock; what it prints, or a failure with that."""

    def run(name: str, *arguments: str | Path) -> str:
        program = shutil.which(name, path=sysconfig.get_path("scripts"))
        if program is None:
            said = f"{name} has no build for this machine"
            if os.environ.get("MSIL_REQUIRE_ALL") == "1":
                pytest.fail(f"{said}, and MSIL_REQUIRE_ALL=1 asks for all parts")
            pytest.skip(said)
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=DEPLOY.parent, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
