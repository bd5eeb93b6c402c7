"""The Terraform configuration, without Terraform: what is named exists, what is promised holds.

Terraform itself looks at it, too, and so does checkov: `make terraform`.
"""

import json
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from deploy.configuration import (
    META,
    NOTES,
    OF_CALLS,
    TERRAFORM,
    Body,
    Module,
    Reference,
    Resource,
    blocks_in,
    is_block,
    read_modules,
    references_in,
    text,
)
from msil_mcp.settings import Settings

pytestmark = pytest.mark.xdist_group("terraform")

ROOT = TERRAFORM.parents[1]
SCHEMAS = Path(__file__).parent / "aws_schema"
VARIABLES = runpy.run_path(str(ROOT / "scripts" / "render_chart_schema.py"))["variables"]
ENVIRONMENTS = ("envs/dev", "envs/prod", "envs/prod-standby")
OF_LIBPQ = {"PGPASSWORD"}
UNRESTRICTABLE = {"Registry", "SignInAndRegister", "Shell"}
"""Statements whose actions AWS can restrict to no resource."""


@cache
def modules() -> dict[str, Module]:
    return read_modules()


@cache
def schema(version: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{version}.json").read_text(encoding="utf-8"))


def each_resource() -> Iterator[tuple[Module, Resource]]:
    for module in modules().values():
        for resource in module.resources.values():
            yield module, resource


def service() -> Module:
    return modules()["modules/service"]


# --- what is named exists


def test_the_configuration_is_read() -> None:
    assert set(ENVIRONMENTS) <= modules().keys()
    assert len(list(each_resource())) > 100


def test_references_are_found_inside_others_and_not_in_texts() -> None:
    found = list(references_in('${aws_a.b[local.c[0]].d + "var.e" + "${var.f}"}'))
    assert list(map(str, found)) == ["aws_a.b.d", "local.c", "var.f"]


def lost(module: Module, reference: Reference) -> bool:
    """Whether a reference leads nowhere."""
    path = reference.path
    match reference.root:
        case "var":
            return path[0] not in module.variables
        case "local":
            return path[0] not in module.locals
        case "module":
            called = module.calls.get(path[0])
            if called is None:
                return True
            target = modules().get(module.source_of(path[0]).relative_to(TERRAFORM).as_posix())
            return target is None or (len(path) > 1 and path[1] not in target.outputs)
        case "data" | "ephemeral" as kind:
            return len(path) < 2 or (kind, path[0], path[1]) not in module.resources
        case type_:
            return ("resource", type_, path[0]) not in module.resources


def test_references_lead_somewhere() -> None:
    found = [
        f"{module}: {reference}"
        for module in modules().values()
        for reference in module.references
        if lost(module, reference)
    ]
    assert found == []


@pytest.mark.parametrize("version", ["5", "6"])
def test_attributes_that_are_read_exist(version: str) -> None:
    unknown = []
    for module in modules().values():
        for reference in module.references:
            match reference:
                case Reference(root="data" | "ephemeral" as kind, path=(type_, _, attribute, *_)):
                    pass
                case Reference(root=type_, path=(_, attribute, *_)) if type_.startswith("aws_"):
                    kind = "resource"
                case _:
                    continue
            known = schema(version).get(kind, {}).get(type_)
            if known is not None and attribute not in {"id", *names_in(known)}:
                unknown.append(f"{module}: {reference}")
    assert unknown == []


def names_in(known: dict[str, Any]) -> set[str]:
    parts = ("required", "optional", "computed", "blocks")
    return {name for part in parts for name in known.get(part, ())}


def wrong_in(body: Body, known: dict[str, Any], where: str) -> Iterator[str]:
    """Arguments and blocks the provider does not know, does not take, or misses."""
    given = {name for name in body if name not in META | NOTES}
    given |= {
        text(name) for block in body.get("dynamic", ()) for name in block if name not in NOTES
    }
    blocks = known.get("blocks", {})
    for name in sorted(given):
        if name in blocks:
            for nested in blocks_in(body, name):
                yield from wrong_in(nested, blocks[name], f"{where}.{name}")
        elif name in known.get("computed", ()):
            yield f"{where}.{name} is the provider's to say"
        elif name not in {*known.get("required", ()), *known.get("optional", ())}:
            yield f"{where}.{name} is unknown"
        elif is_block(body[name]):
            yield f"{where}.{name} is an argument, not a block"
    for name in known.get("required", ()):
        if name not in given:
            yield f"{where}.{name} is missing"


@pytest.mark.parametrize("version", ["5", "6"])
def test_the_provider_knows_every_resource_and_argument(version: str) -> None:
    wrong = []
    for module, resource in each_resource():
        known = schema(version).get(resource.kind)
        if known is None:
            continue  # the bindings that the next version is read from leave ephemeral ones out
        if resource.type not in known:
            wrong.append(f"{module}: {resource.type} is not in the schema: make terraform-schema")
            continue
        wrong += [
            f"{module}: {told}"
            for told in wrong_in(resource.body, known[resource.type], str(resource))
        ]
    assert wrong == []


def test_a_wrong_argument_is_found() -> None:
    body = {"name": '"x"', "cluster_arn": '"y"', "alarms": [{"enable": True, "__is_block__": True}]}
    known = schema("5")["resource"]["aws_ecs_service"]
    assert list(wrong_in(body, known, "s")) == [
        "s.alarms.alarm_names is missing",
        "s.alarms.rollback is missing",
        "s.cluster_arn is unknown",
    ]


def test_ignored_changes_are_of_arguments() -> None:
    for module, resource in each_resource():
        for block in resource.body.get("lifecycle", ()):
            known = schema("5")[resource.kind][resource.type]
            ignored = {one.strip("${}") for one in block.get("ignore_changes", ())}
            assert ignored <= names_in(known), f"{module}: {resource}"


def test_modules_are_given_what_they_take() -> None:
    wrong = []
    for module in modules().values():
        for name, call in module.calls.items():
            target = modules()[module.source_of(name).relative_to(TERRAFORM).as_posix()]
            given = {argument for argument in call if argument not in OF_CALLS | NOTES}
            needed = {one for one, body in target.variables.items() if "default" not in body}
            wrong += [
                f"{module}: {name}.{one} is unknown" for one in given - target.variables.keys()
            ]
            wrong += [f"{module}: {name}.{one} is missing" for one in needed - given]
    assert wrong == []


def test_variables_and_locals_are_used_and_described() -> None:
    for module in modules().values():
        named = {(reference.root, reference.path[0]) for reference in module.references}
        unused = [f"var.{one}" for one in module.variables if ("var", one) not in named]
        unused += [f"local.{one}" for one in module.locals if ("local", one) not in named]
        assert unused == [], module
        for declared in (*module.variables.values(), *module.outputs.values()):
            assert len(text(declared["description"])) > 5, module
        assert all("type" in body for body in module.variables.values()), module


def test_every_module_is_used() -> None:
    used = {module.source_of(call) for module in modules().values() for call in module.calls}
    made = {module.path for name, module in modules().items() if name.startswith("modules/")}
    assert made == used


def test_versions_are_the_same_everywhere() -> None:
    asked = {path: path.read_text() for path in TERRAFORM.rglob("versions.tf")}
    assert len(asked) == len(modules())
    for path, written in asked.items():
        assert 'required_version = ">= 1.11"' in written, path
        assert 'version = ">= 5.100, < 7.0"' in written, path
    assert schema("5")["version"].startswith("5.100.")
    assert schema("6")["version"].startswith("6.")


# --- what runs


def test_tasks_are_given_settings_that_there_are() -> None:
    known = VARIABLES().keys() | OF_LIBPQ
    places = [
        *(service().locals[name] for name in ("environment", "secrets")),
        modules()["modules/platform"].locals["settings"],
        *(modules()[name].calls["platform"]["settings"] for name in ENVIRONMENTS),
    ]
    named = {found for place in places for found in re.findall(r"\b([A-Z][A-Z_]+) = ", place)}
    assert {"DATABASE_URL", "MSIL_SECRET_KEY", "MSIL_ALLOWED_HOSTS", "LOG_LEVEL"} <= named
    assert named - known == set()


def test_a_secret_among_the_settings_is_refused() -> None:
    (validation,) = modules()["modules/platform"].variables["settings"]["validation"]
    refused = set(re.findall(r'"([A-Z_]+)"', validation["condition"]))
    assert refused == runpy.run_path(str(ROOT / "scripts" / "render_chart_schema.py"))["secrets"]()


def test_secrets_are_no_plain_variables() -> None:
    plain = set(re.findall(r"\b([A-Z][A-Z_]+) = ", service().locals["environment"]))
    secret = runpy.run_path(str(ROOT / "scripts" / "render_chart_schema.py"))["secrets"]()
    # These two hold no password here: libpq is given it apart.
    assert plain & secret == {"DATABASE_URL", "DATABASE_READ_URL"}
    for name in ("url", "read_url"):
        value = modules()["modules/database"].outputs[name]["value"]
        assert "postgresql://msil@" in value


def test_a_task_that_stops_has_the_time_its_server_may_take() -> None:
    settings = Settings(_env_file=None, host="0.0.0.0")
    going = service().locals["going"]
    assert {name: going[name] for name in going.keys() - NOTES} == {
        "MSIL_LEAVE_SECONDS": settings.seconds_to_leave,
        "MSIL_DRAIN_SECONDS": settings.drain_seconds,
        "MSIL_CALL_TIMEOUT_SECONDS": settings.call_timeout_seconds,
    }
    (lifecycle,) = service().one("aws_ecs_task_definition", "server")["lifecycle"]
    (refused,) = lifecycle["precondition"]
    assert refused["condition"] == "${local.stop_seconds <= 120}", "Fargate waits no longer"


def test_the_balancer_waits_for_a_turn_of_a_conversation() -> None:
    idle = modules()["modules/platform"].calls["balancer"]["idle_seconds"]
    assert idle > Settings.model_fields["chat_turn_seconds"].default
    assert idle < Settings.model_fields["keep_alive_seconds"].default, "a closing server is met"


def test_a_task_of_one_process_has_one_cpu() -> None:
    for name in ENVIRONMENTS:
        assert modules()[name].calls["platform"]["tasks"]["cpu"] <= 1024, name
    # Not with `--workers`.
    written = (TERRAFORM / "modules/service/main.tf").read_text(encoding="utf-8")
    assert '"msil-mcp", "serve"]' in written


def test_every_task_definition_of_ours_is_deployed_and_its_revisions_stay() -> None:
    script = (TERRAFORM.parent / "ecs.sh").read_text(encoding="utf-8")
    families = set()
    for _, resource in each_resource():
        if resource.type == "aws_ecs_task_definition":
            assert resource.body["skip_destroy"] is True
            families.add(text(resource.body["family"]).replace("${var.name}", "$name"))
    assert families == set(re.findall(r'register "(\$name[\w-]*)"', script))


def test_the_guide_moves_the_standby_to_the_revision_that_terraform_leaves_alone() -> None:
    (lifecycle,) = service().one("aws_ecs_service")["lifecycle"]
    assert "task_definition" in lifecycle["ignore_changes"]
    guide = (ROOT / "docs" / "guides" / "regions.md").read_text(encoding="utf-8")
    name = text(modules()["envs/prod-standby"].locals["name"])
    assert f"--service {name} --task-definition {name}" in guide


def test_a_night_without_an_export_is_told() -> None:
    export = modules()["modules/export"]
    (filter_,) = export.of_type("aws_cloudwatch_log_metric_filter")
    alarm = export.one("aws_cloudwatch_metric_alarm", "missing")
    assert "upload:" in filter_.body["pattern"]
    assert alarm["evaluation_periods"] * alarm["period"] > 24 * 3600
    assert text(alarm["treat_missing_data"]) == "breaching"


def test_commands_of_tasks_are_commands_of_the_product() -> None:
    from msil_mcp.cli import build

    commands = get_command(build()).commands
    written = "".join(path.read_text() for path in TERRAFORM.rglob("*.tf"))
    found = set(re.findall(r'"msil-mcp", "(\w+)"(?:, "(\w+)")?', written))
    assert {first for first, _ in found} == {"serve", "migrate", "audit"}
    assert all(first in commands for first, _ in found)
    options = {option for one in commands["audit"].commands["export"].params for option in one.opts}
    assert {"--days", "--output"} <= options


def test_watched_events_are_logged_by_the_server() -> None:
    watched = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', str(service().locals["watched"])))
    sources = "".join(path.read_text() for path in (ROOT / "src" / "msil_mcp").rglob("*.py"))
    assert len(watched) >= 8
    assert {event for event in watched if not re.search(rf'\(\s*"{event}"', sources)} == set()


def test_every_alarm_says_where_it_is_told_what_to_do() -> None:
    alarms = [one for _, one in each_resource() if one.type == "aws_cloudwatch_metric_alarm"]
    told = [text(one.body["alarm_description"]) for one in alarms]
    told = [one for one in told if one != "${each.value.text}"]
    watched = service().locals["watched"]
    told += [text(watched[name]["text"]) for name in watched.keys() - NOTES]
    assert len(told) >= 15
    pages = [re.findall(r"docs/[\w/-]+\.md$", one) for one in told]
    assert [one for one, page in zip(told, pages, strict=True) if not page] == []
    assert [page for (page,) in pages if not (ROOT / page).is_file()] == []


def test_the_balancer_asks_for_readiness_and_sticks_to_nothing() -> None:
    group = modules()["modules/balancer"].one("aws_lb_target_group")
    (check,), (stickiness,) = group["health_check"], group["stickiness"]
    assert (text(check["path"]), group["port"]) == ("/ready", 8000)
    assert stickiness["enabled"] is False


def test_a_deployment_that_fails_is_undone() -> None:
    body = service().one("aws_ecs_service")
    (breaker,), (alarms,) = body["deployment_circuit_breaker"], body["alarms"]
    assert breaker["enable"] is breaker["rollback"] is alarms["rollback"] is True
    assert body["deployment_minimum_healthy_percent"] == 100


def test_logs_are_where_they_are_looked_for() -> None:
    assert text(service().one("aws_cloudwatch_log_group")["name"]) == "/ecs/${var.name}"
    names = {name: text(modules()[name].locals["name"]) for name in ENVIRONMENTS}
    assert names["envs/dev"] == "msil-mcp-dev"
    assert names["envs/prod"] == names["envs/prod-standby"] == "msil-mcp-prod"


def test_the_cdn_keeps_the_files_of_the_web_apps_only() -> None:
    distribution = modules()["modules/cdn"].one("aws_cloudfront_distribution")
    (default,) = distribution["default_cache_behavior"]
    assert "cache_policy.nothing" in default["cache_policy_id"]
    (kept,) = distribution["dynamic"]
    assert {text(path) for path in kept['"ordered_cache_behavior"']["for_each"]} == {
        "/chat/assets/*", "/admin/assets/*"
    }  # fmt: skip


# --- who may what


def statements() -> Iterator[tuple[str, Body]]:
    for module, resource in each_resource():
        if resource.type == "aws_iam_policy_document":
            for statement in resource.body["statement"]:
                yield f"{module}: {resource.name}", statement


def plain(values: Any) -> list[str]:
    return [text(value) for value in values] if isinstance(values, list) else []


def test_permissions_are_of_actions_and_resources_by_name() -> None:
    checked = 0
    for where, statement in statements():
        if text(statement.get("effect", '"Allow"')) == "Deny":
            continue
        actions, resources = plain(statement["actions"]), plain(statement.get("resources", []))
        if where == "modules/keys: key":
            continue  # a key's policy, where the resource is the key
        assert not [action for action in actions if action.endswith(("*", ":*"))], where
        if "*" in resources:
            assert text(statement["sid"]) in UNRESTRICTABLE, where
        checked += 1
    assert checked >= 20


def test_roles_are_passed_to_tasks_alone() -> None:
    passing = [one for _, one in statements() if "iam:PassRole" in plain(one["actions"])]
    assert len(passing) == 2
    for statement in passing:
        (condition,) = statement["condition"]
        assert plain(condition["values"]) == ["ecs-tasks.amazonaws.com"]


def test_only_the_balancer_is_open_to_the_world() -> None:
    open_to_all = {
        f"{module}: {resource.name}"
        for module, resource in each_resource()
        if resource.type == "aws_vpc_security_group_ingress_rule"
        and resource.body.get("cidr_ipv4") == '"0.0.0.0/0"'
    }
    assert open_to_all == {"modules/balancer: https", "modules/balancer: http"}
    for database in modules()["modules/database"].of_type("aws_db_instance"):
        assert database.body["publicly_accessible"] is False
        assert database.body["storage_encrypted"] is True


def test_no_secret_is_in_the_state_but_that_of_the_cache() -> None:
    kept = {
        f"{module}: {resource.type}.{argument}"
        for module, resource in each_resource()
        for argument in ("password", "secret_string", "auth_token", "secret_binary")
        if argument in resource.body
    }
    assert kept == {
        "modules/cache: aws_elasticache_replication_group.auth_token",
        "modules/cache: aws_secretsmanager_secret_version.secret_string",
    }


def test_exports_cannot_be_changed() -> None:
    storage = modules()["modules/storage"]
    assert storage.one("aws_s3_bucket", "audit")["object_lock_enabled"] is True
    export = modules()["modules/export"].resources["data", "aws_iam_policy_document", "task"].body
    assert plain(export["statement"][0]["actions"]) == ["s3:PutObject"]
    assert text(modules()["envs/prod"].calls["platform"]["audit"]["lock_mode"]) == "COMPLIANCE"
    audit = modules()["envs/prod"].calls["platform"]["audit"]
    assert audit["lock_days"] >= Settings.model_fields["audit_retention_days"].default


# --- environments


@pytest.mark.parametrize("name", ["envs/prod", "envs/prod-standby"])
def test_production_survives_a_zone(name: str) -> None:
    given = modules()[name].calls["platform"]
    assert given["protected"] is True
    assert given["tasks"]["min"] >= 2
    assert given["database"]["multi_az"] is True
    assert given["database"]["read_replica"] is True
    assert given["database"]["backup_days"] == 35
    assert given["cache"]["nodes"] >= 2
    assert given["network"]["nat_per_zone"] is True
    assert len(modules()[name].variables["zones"]["default"]) == 2


def test_the_standby_differs_from_production_by_its_place_alone() -> None:
    prod, standby = (
        modules()[f"envs/{name}"].calls["platform"] for name in ("prod", "prod-standby")
    )
    for same in ("tasks", "database", "cache", "network", "audit", "log_days", "protected"):
        ours, theirs = (
            dict(prod[same]) if isinstance(prod[same], dict) else prod[same],
            standby[same],
        )
        if same == "database":
            ours.pop("password_version")
        assert ours == theirs, same
    assert prod["cidr"] != standby["cidr"]
    assert "var.promoted" in standby["standby"]["promoted"]


def test_connections_of_all_tasks_fit_the_database() -> None:
    each = Settings.model_fields["database_pool_size"].default * 3 // 2 + 3
    for name in ENVIRONMENTS:
        given = modules()[name].calls["platform"]
        # While a deployment runs there may be twice as many.
        assert 2 * given["tasks"]["max"] * each <= given["database"]["max_connections"], name
