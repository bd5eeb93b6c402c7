"""The images: what goes into them, and how they run. `make image-check` builds and runs them."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.charts import DEPLOY

ROOT = DEPLOY.parent
SERVER = DEPLOY / "docker" / "Dockerfile"
BOOKING = DEPLOY / "docker" / "booking-api.Dockerfile"
PINNED = re.compile(r"^docker\.io/library/[a-z]+:\d+\.\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?$")

# Begins and ends the booking service where only the distributions of a lock can be imported.
ALONE = """
import asyncio, re, sys
from importlib.metadata import packages_distributions
from pathlib import Path

locked = {*re.findall(r"^([\\w.-]+)==", Path(sys.argv[1]).read_text(), re.MULTILINE), "msil-mcp"}
owners = packages_distributions()


class Locked:
    def find_spec(self, name, path=None, target=None):
        found = owners.get(name.partition(".")[0], [])
        if found and not {re.sub("[._]", "-", one).lower() for one in found} & locked:
            raise ModuleNotFoundError(f"{name} is not in the lock", name=name)


sys.meta_path.insert(0, Locked())
from booking_api.app import create_app
from booking_api.settings import BookingSettings


async def begin_and_end():
    app = create_app(BookingSettings(data_dir=Path(sys.argv[2]), _env_file=None))
    async with app.router.lifespan_context(app):
        pass


asyncio.run(begin_and_end())
import uvicorn, psycopg
"""


@pytest.fixture(params=[SERVER, BOOKING], ids=lambda path: path.name)
def image(request: pytest.FixtureRequest) -> Path:
    return request.param


def instructions(path: Path) -> Iterator[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    for line in text.splitlines():
        if line[:1].isupper():
            name, rest = line.split(maxsplit=1)
            yield name, rest


def stages(path: Path) -> list[dict[str, list[str]]]:
    """What is said before the first stage, and in each, by instruction."""
    found: list[dict[str, list[str]]] = [{}]
    for name, rest in instructions(path):
        if name == "FROM":
            found.append({})
        found[-1].setdefault(name, []).append(rest)
    return found


def test_hadolint_finds_nothing(image: Path, linter: Callable[..., str]) -> None:
    assert linter("hadolint", "--failure-threshold", "style", image) == ""


def test_bases_are_arguments_with_an_exact_version(image: Path) -> None:
    before, *built = stages(image)
    bases = dict(text.split("=", 1) for text in before["ARG"])
    assert [value for value in bases.values() if not PINNED.match(value)] == []
    named = {re.search(r"\$\{(\w+)\}", text)[1] for stage in built for text in stage["FROM"]}  # type: ignore[index]
    assert named == set(bases)


def test_both_images_have_the_same_python() -> None:
    versions = {
        text for path in (SERVER, BOOKING) for text in stages(path)[0]["ARG"] if "PYTHON" in text
    }
    assert len(versions) == 1
    assert "python:3.11." in versions.pop()


def test_nobody_is_root_and_only_volumes_are_written_to(image: Path) -> None:
    last = stages(image)[-1]
    assert last["USER"] == ["10001:10001"]
    assert last["VOLUME"] == ['["/tmp", "/data"]']
    assert len(last["HEALTHCHECK"]) == len(last["CMD"]) == 1
    assert "ENTRYPOINT" not in last


def test_labels_say_what_it_is_and_where_it_comes_from(image: Path) -> None:
    last = stages(image)[-1]
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", last["LABEL"][0]))
    assert labels >= {"title", "licenses", "version", "revision", "created", "source"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"VERSION={project['version']}" in last["ARG"]


def test_every_package_is_checked_against_its_hash(image: Path) -> None:
    text = re.sub(r"\\\n\s*", " ", image.read_text(encoding="utf-8"))
    installs = re.findall(r"pip(?: --python \S+)? install ([^&\n]*)", text)
    from_elsewhere = [line for line in installs if "--no-index" not in line]
    assert from_elsewhere
    assert [line for line in from_elsewhere if "--require-hashes" not in line] == []
    assert "npm install" not in text


def test_a_command_of_the_terraform_and_the_chart_is_on_the_path() -> None:
    last = stages(SERVER)[-1]
    assert "PATH=/opt/msil-mcp/bin:$PATH" in last["ENV"][0]
    assert last["CMD"] == ['["msil-mcp", "serve"]']


def test_only_what_is_named_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    named = {rule[1:] for rule in rules if rule.startswith("!")}
    assert [name for name in named if not (ROOT / name).exists()] == []
    copied = {
        source
        for path in (SERVER, BOOKING)
        for stage in stages(path)
        for text in stage.get("COPY", [])
        if "--from=" not in text
        for source in [part for part in text.split() if not part.startswith("--")][:-1]
    }
    unsent = [one for one in copied if one not in named and Path(one).parts[0] not in named]
    assert unsent == []
    assert {"**/.env", "**/.data", "**/node_modules"} <= set(rules)


def test_the_lock_of_the_booking_service_is_all_it_needs(tmp_path: Path) -> None:
    lock = ROOT / "requirements-booking.txt"
    command = [sys.executable, "-c", ALONE, str(lock), str(tmp_path)]
    # Where coverage follows a process, it has loaded greenlet before anybody looks.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "booking.db").is_file()
    shorter = tmp_path / "shorter.txt"
    shorter.write_text(lock.read_text().replace("greenlet==", "another=="))
    command[3] = str(shorter)
    done = subprocess.run(
        command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert "greenlet is not in the lock" in done.stderr
