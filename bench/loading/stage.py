"""The product as callers meet it: servers, what is behind them, and a proxy before several."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import OUR_COMMAND, our_environment
from bench.databases import BACKINGS, Backing
from bench.loading.proxy import write_proxy_configuration
from bench.processes import LOOPBACK, NotMeasured, Started, free_port, plain_environment
from bench.upstream import find_program

BUNDLE = "service_booking"
ROLE = "user"
CALLERS = 10
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What a leg runs on."""

    key: str
    title: str
    backing: str
    replicas: int


SETTINGS = (
    Setting("one", "one server, SQLite", "sqlite", 1),
    Setting("two", "two replicas behind nginx, PostgreSQL + Redis", "postgresql", 2),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One address for callers, each server's own for its metrics, keys, and who runs."""

    url: str
    servers: Sequence[str]
    keys: Sequence[str]
    approver: str
    processes: Mapping[str, Sequence[Started]]
    backing: Backing


@contextmanager
def staged(setting: Setting, folder: Path) -> Iterator[Stage]:
    """Everything started, the booking tools in force, and ready; all of it ends with the leg."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        backing = stack.enter_context(BACKINGS[setting.backing](folder / "data"))
        booking, booking_url = _booking_service(stack, folder)
        model, model_url = _scripted_model(stack, folder)
        environment = our_environment(backing, port=0) | {
            "OPENAI_BASE_URL": f"{model_url}/v1",
            "OPENAI_API_KEY": "none",
            "OPENAI_MODEL": "openai:msil-scripted",
            "LOG_LEVEL": "warning",
        }
        if backing.database:
            command(environment, "migrate")
        command(
            environment, "import", f"{booking_url}/openapi.json", "--bundle", BUNDLE,
            "--base-url", booking_url, "--publish", "--allow-private",
        )  # fmt: skip
        command(environment, "roles", "expose", ROLE, f"bundle:{BUNDLE}")
        keys = [make_key(environment, f"caller {number}", ROLE) for number in range(CALLERS)]
        approver = make_key(environment, "approver", "administrator")
        servers, front, url = serve(stack, environment, folder, replicas=setting.replicas)
        yield Stage(
            url=url,
            servers=[address for _, address in servers],
            keys=keys,
            approver=approver,
            processes={
                "servers": [process for process, _ in servers],
                "booking": [booking],
                "model": [model],
                "proxy": front,
            },
            backing=backing,
        )


def serve(
    stack: ExitStack, environment: Mapping[str, str], folder: Path, *, replicas: int
) -> tuple[list[tuple[Started, str]], list[Started], str]:
    """Servers that are ready, the proxy before them if they are several, and the callers' URL."""
    ports = [free_port() for _ in range(replicas)]
    front_port = free_port() if replicas > 1 else ports[0]
    url = f"http://{LOOPBACK}:{front_port}"
    servers = []
    for number, port in enumerate(ports):
        process = Started(
            (*OUR_COMMAND, "serve"),
            log=folder / f"server-{number}.log",
            environment=dict(environment) | {"PORT": str(port), "MSIL_PUBLIC_URL": url},
        )
        stack.callback(process.stop)
        servers.append((process, f"http://{LOOPBACK}:{port}"))
    for process, address in servers:
        _wait_for(f"{address}/ready", process)
    if replicas == 1:
        return servers, [], url
    configuration = write_proxy_configuration(folder, port=front_port, replicas=ports)
    nginx = find_program("nginx", package="nginx-light")
    front = Started(
        [nginx, "-e", folder / "proxy-start.log", "-c", configuration], log=folder / "proxy.log"
    )
    stack.callback(front.stop)
    _wait_for(f"{url}/ready", front)
    return servers, [front], url


def make_key(environment: Mapping[str, str], name: str, role: str) -> str:
    """A fresh API key."""
    made = command(environment, "keys", "create", name, "--role", role, "--json")
    return str(json.loads(made)["token"])


def command(environment: Mapping[str, str], *arguments: str) -> str:
    """What `msil-mcp` printed; NotMeasured with its last line when it failed."""
    done = subprocess.run(
        [*OUR_COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environment(environment),
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotMeasured(f"msil-mcp {arguments[0]}: {' '.join(reason)[:300]}")
    return done.stdout


def _booking_service(stack: ExitStack, folder: Path) -> tuple[Started, str]:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    process = Started(
        (*OUR_COMMAND[:2], "booking_api"),
        log=folder / "booking.log",
        environment={
            "BOOKING_PORT": str(port),
            "BOOKING_DATA_DIR": str(folder / "booking"),
            "BOOKING_LOG_LEVEL": "warning",
        },
    )
    stack.callback(process.stop)
    _wait_for(f"{url}/openapi.json", process)
    return process, url


def _scripted_model(stack: ExitStack, folder: Path) -> tuple[Started, str]:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    process = Started(
        (*OUR_COMMAND, "scripted-model", "--port", str(port), "--pace", "0"),
        log=folder / "model.log",
    )
    stack.callback(process.stop)
    _wait_for(f"{url}/v1/models", process)
    return process, url


def _wait_for(url: str, process: Started) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        process.check_alive()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code in {401, 403}:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise NotMeasured(f"{url} does not answer within {PATIENCE:.0f} s (see {process.log})")
        time.sleep(0.1)
