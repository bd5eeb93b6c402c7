"""The Helm chart, rendered by Helm: valid for Kubernetes, and true to what the server does."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import kubernetes_validate
import psycopg
import pytest
import yaml
from typer.main import get_command

from databases import SECRET, SERVER, url_of
from deploy.charts import CHART, DEPLOY, RELEASE, Manifest, Rendered, render
from msil_mcp.identity.sessions import SessionCookies
from msil_mcp.openapi.document import MAX_BYTES
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings
from running import free_port

ROOT = DEPLOY.parent
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
NGINX = "nginx.ingress.kubernetes.io"
SCHEMA = runpy.run_path(str(ROOT / "scripts" / "render_chart_schema.py"))


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
OPERATOR = {
    # Not part of Kubernetes, whose API server drops what the operator's definitions do not know
    # without a word: so these name every field that may be used here.
    "ServiceMonitor": closed(
        selector=closed(matchLabels=TEXTS),
        namespaceSelector=closed(matchNames={"type": "array", "items": TEXT}),
        endpoints={
            "type": "array",
            "items": closed(
                port=TEXT, path=TEXT, interval=TEXT,
                authorization=closed(type=TEXT, credentials=closed(name=TEXT, key=TEXT)),
                relabelings={"type": "array", "items": closed(targetLabel=TEXT, replacement=TEXT)},
            ),
        },
    ),
    "PrometheusRule": closed(groups={"type": "array", "minItems": 1}),
}  # fmt: skip


def of_operator(manifest: Manifest) -> bool:
    return bool(manifest["apiVersion"] == "monitoring.coreos.com/v1")


def server_pod(chart: Rendered) -> Manifest:
    return chart.named("Deployment")["spec"]["template"]


def environment(chart: Rendered) -> dict[str, str]:
    return chart.named("ConfigMap")["data"]


def settings_of(chart: Rendered, **secrets: str) -> Settings:
    """The settings that a pod with the chart's environment has."""
    known = {"DATABASE_URL": "postgresql://any/any", "MSIL_SECRET_KEY": SECRET}
    with pytest.MonkeyPatch.context() as patch:
        for name in SCHEMA["variables"]():
            patch.delenv(name, raising=False)
        for name, value in (environment(chart) | known | secrets).items():
            patch.setenv(name, value)
        return Settings(_env_file=None)


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


# --- for Helm and for Kubernetes


def test_helm_finds_nothing_to_object_to(chart: Rendered) -> None:
    assert chart.error is None
    noted = [finding for finding in chart.findings if "icon is recommended" not in finding["error"]]
    assert noted == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_is_valid(chart: Rendered, version: str) -> None:
    checked = 0
    for manifest in chart.manifests:
        if of_operator(manifest):
            jsonschema.validate(manifest["spec"], OPERATOR[manifest["kind"]])
        else:
            kubernetes_validate.validate(manifest, version, strict=True)
        checked += 1
    assert checked >= 8


def test_a_field_that_kubernetes_does_not_know_is_found(prod: Rendered) -> None:
    deployment = deepcopy(prod.named("Deployment"))
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_the_oldest_kubernetes_is_the_one_the_chart_asks_for() -> None:
    asked = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert asked["kubeVersion"] == f">={OLDEST}.0-0"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (asked["version"], asked["appVersion"]) == (version, version)


# --- settings


def test_schema_holds_the_settings_there_are() -> None:
    assert SCHEMA["SCHEMA"].read_text(encoding="utf-8") == SCHEMA["render"](), (
        "values.schema.json is stale: run make docs"
    )


def test_the_chart_has_the_rules_and_dashboards_there_are() -> None:
    paths = [path for path in SCHEMA["FILES"].rglob("*") if path.is_file()]
    assert not any(path.is_symlink() for path in (SCHEMA["FILES"], *paths))
    kept = {path: path.read_text(encoding="utf-8") for path in paths}
    assert kept == SCHEMA["copies"](), "files of the chart are stale: run make docs"


def test_settings_reach_the_server_as_they_were_meant(prod: Rendered) -> None:
    settings = settings_of(prod)
    assert (settings.host, settings.port, settings.drain_seconds) == ("0.0.0.0", 8000, 30)
    assert settings.max_upstream_bytes == 16 << 20
    assert settings.redact_output == ("aadhaar", "pan", "card")
    assert settings.upstream_credentials == {
        "service_booking": {"kind": "bearer", "variable": "BOOKING_TOKEN"}
    }
    assert settings.base_url == "https://mcp.example.com"
    # Clients inside the cluster name the Service, and the server answers only to names it knows.
    assert f"{RELEASE}.msil.svc.cluster.local" in settings.allowed_hosts


def test_the_demonstration_asks_the_scripted_model(dev: Rendered) -> None:
    (server,) = server_pod(dev)["spec"]["containers"]
    key = {variable["name"]: variable["value"] for variable in server["env"]}
    settings = settings_of(dev, **key)
    service = dev.named("Service", f"{RELEASE}-scripted-model")
    assert settings.openai_base_url == f"http://{service['metadata']['name']}/v1"
    assert settings.openai_model == "openai:msil-scripted"
    assert settings.openai_api_key is not None


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"settings": {"MSIL_NO_SUCH": 1}}, "MSIL_NO_SUCH"),
        ({"settings": {"DATABASE_URL": "postgresql://u:p@db/msil"}}, "DATABASE_URL"),
        ({"settings": {"OPENAI_API_KEY": "sk-any"}}, "OPENAI_API_KEY"),
        ({"settings": {"MSIL_CALL_TIMEOUT_SECONDS": 0}}, "MSIL_CALL_TIMEOUT_SECONDS"),
        ({"settings": {"LOG_LEVEL": "loud"}}, "LOG_LEVEL"),
        ({"replica": 3}, "replica"),
        ({"existingSecret": ""}, "existingSecret"),
        ({"image": {"repository": "any", "digest": "latest"}}, "digest"),
        ({"ingress": {"enabled": True}}, "host"),
    ],
)
def test_values_that_would_not_work_are_refused(
    helm: None, values: dict[str, Any], why: str
) -> None:
    (refused,) = render(values)
    assert refused.error is not None
    assert why in refused.error


# --- what runs


def test_no_pod_may_do_more_than_it_needs(chart: Rendered) -> None:
    for name, pod in chart.pods():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        emptied = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
        assert all("sizeLimit" in volume.get("emptyDir", {}) for volume in spec["volumes"]), name
        for container in spec["containers"]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"] is True, name
            assert allowed["allowPrivilegeEscalation"] is False, name
            assert allowed["capabilities"] == {"drop": ["ALL"]}, name
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert mounts["/tmp"] in emptied, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_secrets_come_from_the_existing_one_only(chart: Rendered) -> None:
    assert chart.of_kind("Secret") == []
    written = SCHEMA["secrets"]() & environment(chart).keys()
    assert written == set()
    for name, container in chart.containers():
        named = {source["secretRef"]["name"] for source in container.get("envFrom", ())
                 if "secretRef" in source}  # fmt: skip
        demonstration = name.startswith((f"{RELEASE}-booking-api/", f"{RELEASE}-scripted-model/"))
        assert bool(named) is not demonstration, name


def test_the_guide_says_which_variables_belong_into_the_secret() -> None:
    guide = (ROOT / "docs" / "guides" / "kubernetes.md").read_text(encoding="utf-8")
    secrets = SCHEMA["secrets"]() - {"MSIL_API_KEY"}  # which is of `serve --stdio`
    assert {name for name in secrets if f"`{name}`" not in guide} == set()


def test_commands_in_pods_are_commands_of_the_product(chart: Rendered) -> None:
    from msil_mcp.cli import build

    known = get_command(build()).commands
    for name, container in chart.containers():
        if container["command"] == ["msil-mcp"]:
            assert container["args"][0] in known, name
        else:
            assert container["command"] == ["python", "-m", "booking_api"], name


def test_hooks_use_nothing_that_is_made_after_them(chart: Rendered) -> None:
    jobs = chart.of_kind("Job")
    assert f"{RELEASE}-migrate" in {job["metadata"]["name"] for job in jobs}
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        assert "serviceAccountName" not in pod
        assert "helm.sh/hook" in job["metadata"]["annotations"]
        for container in pod["containers"]:
            assert not [one for one in container["envFrom"] if "configMapRef" in one]


def test_the_database_is_migrated_before_the_servers_change(chart: Rendered) -> None:
    migrate = chart.named("Job", f"{RELEASE}-migrate")
    hooks = migrate["metadata"]["annotations"]
    assert hooks["helm.sh/hook"] == "pre-install,pre-upgrade"
    for job in chart.of_kind("Job"):
        others = job["metadata"]["annotations"]
        if job is not migrate and "pre-install" in others["helm.sh/hook"]:
            assert int(others["helm.sh/hook-weight"]) > int(hooks["helm.sh/hook-weight"])


def going_seconds(chart: Rendered) -> float:
    """How long a pod and its server may take to go."""
    settings = settings_of(chart)
    (server,) = server_pod(chart)["spec"]["containers"]
    waits = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    # It leaves, requests drain, calls that outlive their callers end, each within the longest call.
    leaves = waits + settings.seconds_to_leave
    return float(leaves + settings.drain_seconds + settings.call_timeout_seconds)


def test_the_tools_of_the_demonstration_are_imported_and_then_shown(dev: Rendered) -> None:
    from msil_mcp.cli import build

    jobs = []
    for job in dev.of_kind("Job"):
        notes = job["metadata"]["annotations"]
        if "post-install" in notes["helm.sh/hook"]:
            (container,) = job["spec"]["template"]["spec"]["containers"]
            jobs.append((int(notes["helm.sh/hook-weight"]), container["args"]))
    (_, imported), (_, shown) = sorted(jobs)
    assert (imported[0], shown) == ("import", ["roles", "expose", "user", "bundle:service_booking"])
    assert imported[imported.index("--bundle") + 1] == "service_booking"
    assert "expose" in get_command(build()).commands["roles"].commands


def test_a_pod_that_goes_has_the_time_its_server_may_take(chart: Rendered) -> None:
    spec = server_pod(chart)["spec"]
    (server,) = spec["containers"]
    assert spec["terminationGracePeriodSeconds"] >= going_seconds(chart)
    probe = server["readinessProbe"]
    rollout = chart.named("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert rollout == {"maxUnavailable": 0, "maxSurge": 1}
    assert probe["timeoutSeconds"] > 2, "its checks take up to two seconds"


@pytest.mark.parametrize(
    "settings",
    [
        {"MSIL_LEAVE_SECONDS": 60},
        {"MSIL_LEAVE_SECONDS": 0, "MSIL_DRAIN_SECONDS": 12.5},
        {"MSIL_CALL_TIMEOUT_SECONDS": 240},
    ],
)
def test_a_pod_has_more_time_where_settings_ask_for_it(
    helm: None, settings: dict[str, Any]
) -> None:
    (chart,) = render({"settings": settings})
    assert chart.error is None
    given = server_pod(chart)["spec"]["terminationGracePeriodSeconds"]
    assert going_seconds(chart) <= given < going_seconds(chart) + 1


def test_probes_ask_what_the_server_answers(chart: Rendered) -> None:
    from msil_mcp.main import create_app

    paths = {getattr(route, "path", None) for route in create_app().routes} | {"/health", "/ready"}
    (server,) = server_pod(chart)["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in server["ports"]}
    assert ports == {"http": settings_of(chart).port}
    for probe, path in (("liveness", "/health"), ("readiness", "/ready"), ("startup", "/health")):
        asked = server[f"{probe}Probe"]["httpGet"]
        assert asked == {"path": path, "port": "http"}
        assert path in paths


# --- who reaches whom


def test_selectors_choose_the_servers_pods_and_no_others(chart: Rendered) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in chart.pods()}
    selectors = [
        chart.named("Service")["spec"]["selector"],
        chart.named("Deployment")["spec"]["selector"]["matchLabels"],
        chart.named("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(one["spec"]["selector"]["matchLabels"] for one in chart.of_kind("PodDisruptionBudget")),
    ]
    for selector in selectors:
        assert [name for name in labels if matches(selector, labels[name])] == [RELEASE]
    for scaler in chart.of_kind("HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] == RELEASE
        assert "replicas" not in chart.named("Deployment")["spec"], "the scaler decides"


def test_nothing_is_sticky(chart: Rendered) -> None:
    assert chart.named("Service")["spec"]["sessionAffinity"] == "None"
    for ingress in chart.of_kind("Ingress"):
        notes = ingress["metadata"].get("annotations", {})
        assert not [name for name in notes if "affinity" in name or "sticky" in name]


def test_replicas_are_spread_and_not_all_taken_at_once(prod: Rendered) -> None:
    spread = server_pod(prod)["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == [
        "topology.kubernetes.io/zone", "kubernetes.io/hostname"
    ]  # fmt: skip
    pods = server_pod(prod)["metadata"]["labels"]
    assert all(matches(one["labelSelector"]["matchLabels"], pods) for one in spread)
    assert prod.named("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert prod.named("HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 3


def test_documents_pass_the_ingress_and_streams_are_not_held_back(chart: Rendered) -> None:
    for ingress in chart.of_kind("Ingress"):
        notes = ingress["metadata"]["annotations"]
        (allowed,) = re.findall(r"^(\d+)m$", notes[f"{NGINX}/proxy-body-size"])
        assert int(allowed) << 20 > MAX_BYTES
        assert notes[f"{NGINX}/proxy-buffering"] == "off"


@pytest.mark.parametrize(
    ("service", "url"),
    [({}, "http://msil-mcp.msil"), ({"port": 8080}, "http://msil-mcp.msil:8080")],
)
def test_without_an_ingress_the_server_is_known_by_its_service(
    helm: None, service: dict[str, Any], url: str
) -> None:
    (chart,) = render({"service": service})
    assert settings_of(chart).base_url == url


def test_people_sign_in_through_a_forwarded_port_where_that_is_allowed(helm: None) -> None:
    origin = "http://127.0.0.1:8000"
    forwarded = {"origin": origin, "sec-fetch-site": "same-origin", "host": "127.0.0.1:8000"}
    for allowed in ([], [origin]):
        (chart,) = render({"settings": {"MSIL_ALLOWED_ORIGINS": allowed}})
        settings = settings_of(chart)
        sessions = SessionCookies(settings, Keyring.from_settings(settings))
        assert sessions.is_own_site(forwarded, default=False) is bool(allowed)


def test_servers_may_reach_what_the_demonstration_brings(dev: Rendered) -> None:
    rules = dev.named("NetworkPolicy")["spec"]["egress"]
    (rule,) = (one for one in rules if any("podSelector" in peer for peer in one.get("to", ())))
    (chosen,) = (peer["podSelector"]["matchLabels"] for peer in rule["to"])
    listening = {
        port["containerPort"]
        for name, pod in dev.pods()
        if name != RELEASE and matches(chosen, pod["metadata"]["labels"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
    }
    assert {port["port"] for port in rule["ports"]} == listening


def test_the_metadata_address_is_out_of_reach(chart: Rendered) -> None:
    policy = chart.named("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    blocks = [
        peer["ipBlock"] for rule in policy["egress"] for peer in rule.get("to", ())
        if "ipBlock" in peer
    ]  # fmt: skip
    assert "169.254.169.254/32" in blocks[0]["except"]
    assert all(block.get("except") for block in blocks)


# --- Prometheus


def test_rules_are_those_of_the_repository(
    prod: Rendered, component: Callable[[str], str], tmp_path: Path
) -> None:
    spec = prod.named("PrometheusRule")["spec"]
    assert spec == yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(spec))
    checked = subprocess.run(
        [component("promtool"), "check", "rules", str(tmp_path / "rules.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_dashboards_are_those_of_the_repository(prod: Rendered) -> None:
    made = {
        file: json.loads(content)
        for one in prod.of_kind("ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]
        for file, content in one["data"].items()
    }  # fmt: skip
    shown = (DEPLOY / "grafana" / "dashboards").glob("*.json")
    assert made == {path.name: json.loads(path.read_text()) for path in shown}
    assert len(made) >= 5


def test_the_monitor_scrapes_the_service(prod: Rendered) -> None:
    monitor, service = prod.named("ServiceMonitor")["spec"], prod.named("Service")
    assert matches(monitor["selector"]["matchLabels"], service["metadata"]["labels"])
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
    assert endpoint["authorization"]["credentials"]["key"] == "MSIL_METRICS_TOKEN"


# --- the pods' commands, really run


@pytest.fixture
def empty_database() -> Iterator[str]:
    name = f"msil_chart_{os.getpid()}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield url_of(name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_what_the_pods_run_installs_and_serves(
    every_chart: dict[str, Rendered], empty_database: str, tmp_path: Path
) -> None:
    chart = every_chart["minimal"]
    port = str(free_port())
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": empty_database, "MSIL_SECRET_KEY": SECRET}
    containers = dict(chart.containers())

    def started(name: str, **more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "msil_mcp", *containers[name]["args"]],
            cwd=tmp_path, env=env | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip

    migrated, _ = started(f"{RELEASE}-migrate/migrate").communicate(timeout=60)
    assert "The database went from nothing" in migrated
    first, _ = started(f"{RELEASE}-first-user/first-user").communicate(timeout=60)
    assert "admin may sign in with the password" in first

    server = started(f"{RELEASE}/server", **environment(chart) | {"PORT": port})
    try:
        assert server.stdout is not None
        assert any("Uvicorn running" in line for line in server.stdout), "it did not start"
        for path in ("/health", "/ready"):
            # As a kubelet asks: by the address of the pod.
            answer = httpx2.get(f"http://127.0.0.1:{port}{path}", headers={"Host": "10.0.3.7:8000"})
            assert answer.status_code == 200, answer.text
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=30)
    finally:
        server.kill()
    assert "Application shutdown complete" in said
