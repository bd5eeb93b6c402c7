"""Builds both images and runs them, on a machine with neither a container engine nor a registry.

A Debian made here stands in for the bases, with Debian's Python 3.11 and this machine's Node;
buildah builds in a chroot. The images then run in namespaces made by hand, as a container would:
the image's user, environment and command, a root that is read-only, and nothing writable but the
volumes. It wants root on Debian with the packages buildah and mmdebstrap.

    python scripts/check_images.py [--keep DIRECTORY]
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAMS = ("buildah", "mmdebstrap", "unshare", "node", "npm")
PACKAGES = "python3,python3-venv,ca-certificates,libstdc++6"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
USER = 10001
START_SECONDS = 60
STOP_SECONDS = 40

# Run in namespaces of its own: mounts and processes end with it.
ENTER = r"""
set -eu
mount --make-rprivate /
mount --bind "$IMAGE_ROOT" "$IMAGE_ROOT"
for volume in $IMAGE_VOLUMES; do
    mkdir -p "$IMAGE_STATE$volume" "$IMAGE_ROOT$volume"
    chown 10001:10001 "$IMAGE_STATE$volume"
    mount --bind "$IMAGE_STATE$volume" "$IMAGE_ROOT$volume"
done
mount -t proc proc "$IMAGE_ROOT/proc"
mount --rbind /dev "$IMAGE_ROOT/dev"
mount -o remount,bind,ro "$IMAGE_ROOT"
exec chroot "$IMAGE_ROOT" setpriv --reuid=10001 --regid=10001 --clear-groups \
    --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


class Failed(Exception):
    """What did not work, in a sentence, with what was printed."""


def quietly(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a program prints; its errors only when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise Failed(f"{command[0]} failed with {done.returncode}:\n{said}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Buildah:
    """buildah with a storage of its own."""

    folder: Path

    def __call__(self, name: str, *arguments: str | Path) -> str:
        """What a command of it prints."""
        storage = ("--root", self.folder / "storage", "--runroot", self.folder / "run")
        return quietly("buildah", "--storage-driver", "vfs", *storage, name, *arguments)

    def make_bases(self, debian: Path) -> None:
        """Stand-ins for the images of Python and Node."""
        if not debian.is_file():
            made = debian.with_suffix(".part.tar")
            quietly("mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", made)
            made.rename(debian)
        container = self("from", "scratch")
        self("add", container, debian, "/")
        self("commit", container, "localhost/python:debian")
        npm = Path(shutil.which("npm") or "").resolve().parents[1]
        self("copy", container, Path(shutil.which("node") or "").resolve(), "/usr/local/bin/node")
        self("copy", container, npm, "/usr/local/lib/node_modules/npm")
        link = ("ln", "-s", "../lib/node_modules/npm/bin/npm-cli.js", "/usr/local/bin/npm")
        self("run", "--isolation", "chroot", container, "--", *link)
        self("commit", container, "localhost/node:debian")

    def build(self, dockerfile: str, name: str) -> "Image":
        """An image from the repository as it lies here."""
        # A proxy before the package indexes may have an authority of its own; as a secret it leaves
        # nothing in the image.
        authority = os.environ.get("SSL_CERT_FILE", AUTHORITIES)
        tag = f"localhost/{name}:check"
        self(
            "build", "--isolation", "chroot", "--format", "docker",
            "--build-arg", "NODE_IMAGE=localhost/node:debian",
            "--build-arg", "PYTHON_IMAGE=localhost/python:debian",
            "--build-arg", "REVISION=check",
            "--secret", f"id=ca,src={authority}",
            "--file", f"deploy/docker/{dockerfile}", "--tag", tag, ".",
        )  # fmt: skip
        config = json.loads(self("inspect", "--type", "image", tag))["Docker"]["config"]
        root = Path(self("mount", self("from", tag)))
        size = self("images", "--format", "{{.Size}}", tag)
        print(f"{name} is built: {size}, without the base {own_size(root)} MB", flush=True)
        state = self.folder / name
        state.mkdir()
        return Image(name, config, root, state)


def own_size(root: Path) -> int:
    """Megabytes below /opt, where all of ours is."""
    files = (path.lstat().st_size for path in (root / "opt").rglob("*"))
    return round(sum(files) / 1e6)


@dataclass(frozen=True)
class Image:
    """A built image, unpacked, and where its volumes lie."""

    name: str
    config: Mapping[str, Any]
    root: Path
    state: Path

    def command(self, arguments: Sequence[str], settings: Mapping[str, str]) -> list[str]:
        """How a process of it is begun."""
        given = [*self.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
        inside = ["/usr/bin/env", "-i", "-C", self.config["WorkingDir"], *given, *arguments]
        outside = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*outside, "sh", "-c", ENTER, "sh", *inside]

    @property
    def environment(self) -> dict[str, str]:
        """What the entering needs to know."""
        volumes = " ".join(sorted(self.config["Volumes"]))
        ours = {"IMAGE_ROOT": str(self.root), "IMAGE_STATE": str(self.state)}
        return {"PATH": os.environ["PATH"], **ours, "IMAGE_VOLUMES": volumes}

    def run(self, *arguments: str, settings: Mapping[str, str]) -> str:
        """What one command in it prints."""
        done = subprocess.run(
            self.command(arguments, settings), env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"{' '.join(arguments)} in {self.name}:\n{done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def serving(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Its own command, until its own health check holds; then it must stop at the signal."""
        log = self.state / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(self.config["Cmd"], settings), env=self.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait_until_healthy(process, log, settings)
            yield
            begun = time.monotonic()
            # The signal goes to the program itself, as an engine sends it.
            os.kill(_innermost(process.pid), signal.SIGTERM)
            process.wait(STOP_SECONDS)
            print(f"{self.name} stopped in {time.monotonic() - begun:.1f} s")
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} does not stop:\n{log.read_text()}") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _wait_until_healthy(
        self, process: "subprocess.Popen[bytes]", log: Path, settings: Mapping[str, str]
    ) -> None:
        check = self.config["Healthcheck"]["Test"][1:]
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                self.run(*check, settings=settings)
            except Failed:
                time.sleep(0.5)
            else:
                print(f"{self.name} is healthy by its own check, as user {_user(process.pid)}")
                return
        raise Failed(f"{self.name} does not come up:\n{log.read_text()}")


def _innermost(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _innermost(int(children[0])) if children else pid


def _user(pid: int) -> int:
    return Path(f"/proc/{_innermost(pid)}").stat().st_uid


def free_port() -> str:
    """A port nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def check_confinement(image: Image) -> None:
    """The user is nobody special, and writes to the volumes alone."""
    told = image.run("id", "-u", settings={}).strip()
    if told != str(USER):
        raise Failed(f"{image.name} runs as {told}")
    for path in ("/", "/etc", "/opt", "/usr"):
        script = f"! touch {path}/written 2>/dev/null"
        image.run("sh", "-c", script, settings={})
    image.run("touch", "/tmp/written", "/data/written", settings={})  # noqa: S108
    print(f"{image.name} writes to its volumes alone")


def check_together(server: Image, booking: Image) -> None:
    """Both run, tools are imported, and the smoke test in the server's image holds."""
    port, upstream = free_port(), free_port()
    address = f"http://127.0.0.1:{upstream}"
    ours = {"PORT": port, "MSIL_SECRET_KEY": secrets.token_urlsafe(32)}
    theirs = {"BOOKING_PORT": upstream, "BOOKING_PUBLIC_URL": address}
    document = f"{address}/openapi.json"
    options = ("--bundle", "service_booking", "--allow-private", "--publish")
    with booking.serving(theirs):
        server.run("msil-mcp", "import", document, *options, settings=ours)
        server.run("msil-mcp", "roles", "expose", "user", "bundle:service_booking", settings=ours)
        key = json.loads(
            server.run(
                "msil-mcp", "keys", "create", "smoke", "--role", "user", "--json", settings=ours
            )
        )["token"]
        with server.serving(ours):
            said = server.run(
                "msil-mcp-smoke", f"http://127.0.0.1:{port}", "--tools", "6",
                "--call", "resolve_vehicle",
                "--arguments", '{"registration_number": "MH12AB1234"}',
                settings={**ours, "MSIL_API_KEY": key},
            )  # fmt: skip
            print(said, end="")


def check(folder: Path, *, debian: Path) -> None:
    """Bases, images, and both of them at work."""
    buildah = Buildah(folder)
    buildah.make_bases(debian)
    print("The bases are a Debian made here", flush=True)
    booking = buildah.build("booking-api.Dockerfile", "msil-booking-api")
    server = buildah.build("Dockerfile", "msil-mcp")
    for image in (booking, server):
        check_confinement(image)
    check_together(server, booking)


def main() -> int:
    """Build, run, and clean up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="where the Debian is kept for the next time")
    options = parser.parse_args()
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0 or missing:
        needs = f"not found: {', '.join(missing)}" if missing else "root is needed"
        print(f"{needs}; apt-get install buildah mmdebstrap, and Node 20.19", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="images-"))
    try:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
        check(folder, debian=(options.keep or folder) / "bookworm.tar")
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
