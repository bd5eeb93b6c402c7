"""The peers' own virtual environment: pinned, hashed, made on demand, outside git."""

import subprocess
import sys
from pathlib import Path

from bench.processes import NotMeasured

PEERS = Path(__file__).with_name("peers")
LOCK = PEERS / "requirements.txt"


def peer_python(folder: Path) -> Path:
    """The environment's Python; made anew when the lock has changed since."""
    home = folder / "peers"
    python, made_for = home / "bin" / "python", home / "made-for.txt"
    if made_for.exists() and made_for.read_text() == LOCK.read_text():
        return python
    print("Making the peers' environment (once) …", file=sys.stderr, flush=True)
    uv, pip = (Path(sys.executable).with_name(name) for name in ("uv", "pip"))
    wanted = ("--quiet", "--require-hashes", "-r", str(LOCK))
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, home)
    try:
        _run(uv, "pip", "install", "--python", python, *wanted)
    except NotMeasured:
        # uv reads no pip.conf; where a package index is configured only there, pip finds it.
        _run(pip, "--python", python, "install", "--disable-pip-version-check", *wanted)
    made_for.write_text(LOCK.read_text())
    return python


def peer_versions() -> dict[str, str]:
    """What the lock pins of the packages the peers are written on."""
    wanted = (PEERS / "requirements.in").read_text().split()
    return dict(line.split("==") for line in wanted)


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NotMeasured(f"{command[0]} is missing; `make bench` sets it up") from None
    if done.returncode:
        raise NotMeasured(f"the peers' environment: {done.stderr.strip()[-400:]}")
