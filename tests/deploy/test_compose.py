"""Everything on one machine by Compose: the file, what it mounts, and nginx at work."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from booking_api.settings import BookingSettings
from databases import Templates, settings_for
from deploy.charts import DEPLOY
from msil_mcp.settings import Settings, variable_of
from running import Product, free_port
from running import product as running_product

pytestmark = pytest.mark.anyio

ROOT = DEPLOY.parent
COMPOSE = DEPLOY / "compose"
OURS = {"msil-mcp:local", "msil-booking-api:local"}
OF_LIBPQ = {"PGPASSWORD"}
VARIABLE = re.compile(r"\$\{(\w+)")
EXACT = re.compile(r"^docker\.io/[\w/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$")
FALLBACK = re.compile(r"\$\{\w+:[-?]([^}]*)\}")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]


def mounts(services: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Each file or folder of the repository that a service mounts, and where."""
    for service in services.values():
        for volume in service.get("volumes", []):
            source, target, *_ = volume.split(":")
            if source.startswith("."):
                yield (COMPOSE / source).resolve(), target


def test_the_file_fits_the_specification(linter: Callable[..., str]) -> None:
    linter("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE / "compose.yaml")


def test_everything_that_was_promised_is_there(services: dict[str, Any]) -> None:
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {
        "server-1", "server-2", "migrate", "first-user", "tools", "nginx", "postgres", "redis",
        "booking-api", "scripted-model", "prometheus", "grafana", "otel-collector",
    }  # fmt: skip
    logs = {name for name, service in services.items() if service.get("profiles") == ["logs"]}
    assert logs == {"log-collector", "opensearch"}


def test_what_is_named_exists(services: dict[str, Any]) -> None:
    whole = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    named = {
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if re.match(r"\w", volume)
    }
    assert named == set(whole["volumes"])
    awaited = {name for service in services.values() for name in service.get("depends_on", {})}
    assert awaited <= set(services)
    assert [str(path) for path, _ in mounts(services) if not path.exists()] == []
    for service in services.values():
        if "build" in service:
            assert (COMPOSE / service["build"]["context"]).resolve() == ROOT
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_services_that_end_are_waited_for(services: dict[str, Any]) -> None:
    # `docker compose up --wait` fails at one that ended, unless somebody waits for its end.
    ending = {name for name, one in services.items() if one.get("restart") != "unless-stopped"}
    awaited = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert ending == awaited


def test_servers_have_the_time_to_stop(services: dict[str, Any]) -> None:
    settings = Settings(_env_file=None, host="0.0.0.0")
    takes = settings.seconds_to_leave + settings.drain_seconds + settings.call_timeout_seconds
    for name in ("server-1", "server-2"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) >= takes


def test_a_service_that_must_be_healthy_can_say_so(services: dict[str, Any]) -> None:
    awaited = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    # The images of ours have a check of their own.
    silent = [
        name
        for name in awaited
        if "healthcheck" not in services[name] and services[name]["image"] not in OURS
    ]
    assert silent == []


def test_settings_are_those_of_the_products(services: dict[str, Any]) -> None:
    known = {variable_of(name, field) for name, field in Settings.model_fields.items()}
    booking = {f"BOOKING_{name.upper()}" for name in BookingSettings.model_fields}
    for name, service in services.items():
        given = set(service.get("environment", {}))
        match service["image"]:
            case "msil-mcp:local":
                assert given <= known | OF_LIBPQ, name
            case "msil-booking-api:local":
                assert given <= booking, name


def test_servers_start_with_these_settings(services: dict[str, Any]) -> None:
    environment = services["server-1"]["environment"]
    assert services["server-2"]["environment"] == environment
    given = {
        name.lower().removeprefix("msil_"): FALLBACK.sub(r"\1", value)
        for name, value in environment.items()
        if name not in OF_LIBPQ
    }
    settings = Settings(_env_file=None, **given)
    assert not settings.is_sqlite
    assert settings.base_url == "http://localhost:8080"


def test_no_secret_is_written_down_and_each_is_asked_for(services: dict[str, Any]) -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked == {"POSTGRES_PASSWORD", "MSIL_SECRET_KEY", "GRAFANA_PASSWORD"}
    guide = (ROOT / "docs" / "guides" / "compose.md").read_text(encoding="utf-8")
    assert [name for name in VARIABLE.findall(text) if name not in guide] == []
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET", name):
                assert str(value).startswith("${"), name


def test_images_have_an_exact_version_and_ports_stay_on_this_machine(
    services: dict[str, Any],
) -> None:
    images = {service["image"] for service in services.values()} - OURS
    assert [image for image in images if not EXACT.match(image)] == []
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_nginx_is_new_enough_to_look_names_up_again(services: dict[str, Any]) -> None:
    """A name is looked up once, at the start, without `resolve`, which is nginx's since 1.27.3."""
    (version,) = re.findall(r":(\d+)\.(\d+)\.(\d+)", services["nginx"]["image"])
    assert tuple(map(int, version)) >= (1, 27, 3)
    told = (COMPOSE / "nginx.conf").read_text(encoding="utf-8")
    assert {line.split()[2] for line in told.splitlines() if ":8000" in line} == {"resolve"}
    assert "zone replicas" in told


def test_idle_connections_end_before_the_servers_end_them() -> None:
    told = (COMPOSE / "nginx.conf").read_text(encoding="utf-8")
    (kept,) = re.findall(r"keepalive_timeout (\d+)s;", told)
    assert int(kept) < Settings(_env_file=None).keep_alive_seconds


def test_commands_of_the_product_exist(services: dict[str, Any]) -> None:
    from typer.main import get_command

    from msil_mcp.cli import build

    commands = get_command(build()).commands  # type: ignore[attr-defined]
    for name, service in services.items():
        written = " ".join(service.get("command", []))
        for words in re.findall(r"msil-mcp ([a-z-]+)(?: ([a-z-]+))?", written):
            assert words[0] in commands, name
            below = getattr(commands[words[0]], "commands", None)
            assert below is None or words[1] in below, name


def test_prometheus_finds_every_server(
    services: dict[str, Any], component: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "prometheus.yml").write_bytes((COMPOSE / "prometheus.yml").read_bytes())
    (tmp_path / "rules.yml").write_bytes((DEPLOY / "prometheus" / "rules.yml").read_bytes())
    checked = subprocess.run(
        [component("promtool"), "check", "config", "prometheus.yml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    (job,) = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())["scrape_configs"]
    assert job["job_name"] == "msil-mcp"
    servers = sorted(name for name in services if name.startswith("server-"))
    assert job["static_configs"] == [{"targets": [f"{name}:8000" for name in servers]}]
    source = (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    assert yaml.safe_load(source)["datasources"][0]["url"] == "http://prometheus:9090"
    told = (DEPLOY / "grafana/provisioning/dashboards/msil.yml").read_text()
    folder = yaml.safe_load(told)["providers"][0]["options"]["path"]
    assert (DEPLOY / "grafana/dashboards", folder) in mounts(services)


@pytest.mark.parametrize("name", ["otel-traces.yaml", "otel-logs.yaml"])
def test_a_collector_has_whatever_its_pipelines_name(name: str) -> None:
    told = yaml.safe_load((COMPOSE / name).read_text(encoding="utf-8"))
    for pipeline in told["service"]["pipelines"].values():
        assert set(pipeline) == {"receivers", "processors", "exporters"}
        for kind, named in pipeline.items():
            assert set(named) == set(told[kind]), kind
        assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch"
    assert set(told["service"].get("extensions", [])) == set(told.get("extensions", {}))


LINE = r'{"log": "{\"event\": \"server_leaving\", \"level\": \"info\"}\n"}'


def test_the_log_collector_takes_a_line_of_the_server_apart() -> None:
    """As Docker writes it, with the end of the line in it; `.` matches no such end in Go either."""
    told = yaml.safe_load((COMPOSE / "otel-logs.yaml").read_text(encoding="utf-8"))
    operators = {one["type"]: one for one in told["receivers"]["filelog"]["operators"]}
    (condition,) = re.findall(r'^body matches "(.*)"$', operators["json_parser"]["if"])
    body = json.loads(LINE)["log"]
    assert body.endswith("\n")
    # What `$` is in Go.
    assert re.search(condition.replace("$", r"\Z"), body)
    ours = set(operators["severity_parser"]["mapping"].values())
    assert {"debug", "info", "error"} | ours == {"debug", "info", "warning", "error", "critical"}


def test_servers_send_their_spans_where_the_collector_listens(services: dict[str, Any]) -> None:
    told = yaml.safe_load((COMPOSE / "otel-traces.yaml").read_text(encoding="utf-8"))
    port = told["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    sent = services["server-1"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert sent == f"http://otel-collector:{port}"


@contextmanager
def nginx(program: str, folder: Path, *, servers: list[str]) -> Iterator[str]:
    """The shipped nginx before servers of this machine, on a port of its own."""
    port = free_port()
    told = (COMPOSE / "nginx.conf").read_text(encoding="utf-8")
    for number, server in enumerate(servers, start=1):
        told = told.replace(f"server-{number}:8000", server)
    changes = {
        "pid /run/nginx.pid;": f"pid {folder}/nginx.pid; daemon off;",
        "error_log /dev/stderr warn;": f"error_log {folder}/errors.log warn;",
        "worker_processes auto;": "worker_processes 1;",
        "listen 8080;": f"listen 127.0.0.1:{port};",
        # Names are Docker's; Debian's nginx is older than `resolve`.
        "    resolver 127.0.0.11 valid=5s;\n": "",
        " resolve max_fails": " max_fails",
        "http {\n": "http {\n"
        + "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY),
    }
    for before, after in changes.items():
        assert before in told
        told = told.replace(before, after)
    path = folder / "nginx.conf"
    path.write_text(told)
    command = [program, "-e", str(folder / "start.log"), "-c", str(path)]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    process = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@pytest.fixture(scope="module")
def embedded(templates: Templates, booking_url: str) -> Iterator[Product]:
    with (
        templates.clone("sqlite") as url,
        running_product(settings_for(url), booking_url=booking_url) as product,
    ):
        yield product


async def test_nginx_passes_calls_streams_and_websockets_and_goes_round_a_dead_server(
    embedded: Product, component: Callable[[str], str], tmp_path: Path
) -> None:
    address = embedded.url.removeprefix("http://")
    with nginx(component("nginx"), tmp_path, servers=[address, f"127.0.0.1:{free_port()}"]) as url:
        done = await asyncio.to_thread(
            subprocess.run,
            [
                sys.executable, str(DEPLOY / "smoke.py"), url, "--wait", "10",
                "--without-pages", "--call", "resolve_vehicle",
                "--arguments", '{"registration_number": "MH12AB1234"}',
            ],
            env={"PATH": "/usr/bin:/bin", "MSIL_API_KEY": embedded.keys["user"]},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        token = {"Authorization": f"Bearer {embedded.keys['administrator']}"}
        async with aiohttp.ClientSession(headers=token) as client:
            async with client.ws_connect(f"{url}/api/events") as socket:
                await embedded.call("resolve_vehicle", {"registration_number": "MH12AB1234"})
                first = await asyncio.wait_for(socket.receive_json(), 10)
                assert first
            for _ in range(20):
                async with client.get(f"{url}/ready") as answer:
                    assert answer.status == 200


async def test_scrapers_may_call_a_server_by_its_name(embedded: Product) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{embedded.url}/metrics", headers={"Host": "server-1:8000"}) as answer,
    ):
        assert answer.status == 200
