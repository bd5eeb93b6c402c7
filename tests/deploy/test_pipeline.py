"""The pipeline on GitHub: what its linters say, its jobs, and the scripts it runs."""

import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.charts import DEPLOY
from deploy.configuration import TERRAFORM

ROOT = DEPLOY.parent
GITHUB = ROOT / ".github"
WORKFLOW = GITHUB / "workflows" / "ci-cd.yml"
NEEDED = {
    "test-mcp-server", "test-chat-ui", "test-admin-ui", "build-docker", "deploy-dev", "deploy-prod",
}  # fmt: skip
PINNED = re.compile(r"^\s*(?:- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "ab" * 32
SOURCE = "ghcr.io/example/msil/server:0.1.0-abc"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]


def steps(job: dict[str, Any]) -> Iterator[str]:
    """What a job runs: commands, and actions by name."""
    for step in job["steps"]:
        yield step.get("run") or step["uses"].partition("@")[0]


def test_actionlint_finds_nothing(linter: Callable[..., str]) -> None:
    assert linter("actionlint", "-no-color", WORKFLOW) == ""


def test_zizmor_finds_nothing(linter: Callable[..., str]) -> None:
    linter("zizmor", "--offline", "--no-progress", "--collect=all", GITHUB)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-workflows", WORKFLOW),
        ("vendor.dependabot", GITHUB / "dependabot.yml"),
    ],
)
def test_files_fit_the_schema_of_github(
    linter: Callable[..., str], schema: str, path: Path
) -> None:
    linter("check-jsonschema", "--builtin-schema", schema, path)


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    uses = [line for line in WORKFLOW.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert uses
    assert [line for line in uses if not PINNED.match(line)] == []
    pins = {tuple(re.split("[@ ]+", line.split("uses: ")[1], maxsplit=1)) for line in uses}
    assert len({action for action, _ in pins}) == len(pins)


def test_every_job_is_there_with_no_more_rights_than_it_needs(jobs: dict[str, Any]) -> None:
    assert set(jobs) >= NEEDED
    whole = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert whole["permissions"] == {}
    writing = {
        name: sorted(right for right, how in job["permissions"].items() if how == "write")
        for name, job in jobs.items()
    }
    assert {name: rights for name, rights in writing.items() if rights} == {
        "build-docker": ["packages"],
        "deploy-dev": ["id-token"],
        "deploy-prod": ["id-token"],
        "release": ["contents"],
    }
    assert all("timeout-minutes" in job for job in jobs.values())


def test_a_run_that_waits_for_approval_holds_up_no_other(jobs: dict[str, Any]) -> None:
    whole = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    waiting = {name for name, job in jobs.items() if "environment" in job}
    assert waiting == {"deploy-dev", "deploy-prod"}
    assert "refs/heads/main' && github.run_id" in whole["concurrency"]["group"]
    # What deploys to one place still does so one after the other.
    assert {jobs[name]["concurrency"] for name in waiting} == {
        "deploy-development", "deploy-production"
    }  # fmt: skip


def test_tests_report_their_coverage(jobs: dict[str, Any]) -> None:
    said = list(steps(jobs["test-mcp-server"]))
    assert ".ci/run" in said
    assert {"codecov/codecov-action", "actions/upload-artifact"} <= set(said)


@pytest.mark.parametrize("app", ["chat-ui", "admin-ui"])
def test_each_web_app_is_linted_tested_and_built(jobs: dict[str, Any], app: str) -> None:
    said = "\n".join(steps(jobs[f"test-{app}"]))
    for part in (f"eslint --max-warnings 0 {app}", f"vitest run {app}", "npm run types"):
        assert part in said
    assert f"npm run build --workspace {app}" in said
    assert (ROOT / "web" / app / "package.json").is_file()


def test_images_are_of_two_architectures_cached_and_not_pushed_by_pull_requests(
    jobs: dict[str, Any],
) -> None:
    job = jobs["build-docker"]
    (build,) = [step for step in job["steps"] if "docker/build-push-action" in step.get("uses", "")]
    assert build["with"]["platforms"] == "linux/amd64,linux/arm64"
    assert build["with"]["push"] == "${{ github.event_name == 'push' }}"
    assert {"cache-from", "cache-to"} <= set(build["with"])
    files = [image["file"] for image in job["strategy"]["matrix"]["include"]]
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize(
    ("name", "branch", "environment", "folder"),
    [
        ("deploy-dev", "develop", "development", "dev"),
        ("deploy-prod", "main", "production", "prod"),
    ],
)
def test_a_branch_goes_to_its_environment_after_the_tests_and_is_smoked(
    jobs: dict[str, Any], name: str, branch: str, environment: str, folder: str
) -> None:
    job = jobs[name]
    assert job["if"] == f"github.event_name == 'push' && github.ref == 'refs/heads/{branch}'"
    assert job["environment"]["name"] == environment
    assert {"build-docker", "scan-images", "scan-dependencies"} <= set(job["needs"])
    assert set(jobs["build-docker"]["needs"]) == {
        "test-mcp-server", "test-chat-ui", "test-admin-ui",
    }  # fmt: skip
    *_, release, smoke = steps(job)
    terraform = (TERRAFORM / "envs" / folder / "main.tf").read_text(encoding="utf-8")
    (known,) = re.findall(r'^  name = "([\w-]+)"$', terraform, flags=re.MULTILINE)
    assert f'sh deploy/ecs.sh {known} "$REFERENCE"' == release
    assert re.search(rf'environment\s+= "{environment}"', terraform)
    assert smoke.startswith('python3 deploy/smoke.py "$URL"')


def tags(image: str, ref: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", str(DEPLOY / "image_tags.sh"), image],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "GITHUB_REPOSITORY": "Example/Msil",
            "GITHUB_SHA": COMMIT,
            "GITHUB_REF": ref,
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("refs/heads/main", [f"{VERSION}-0123456789ab", "main"]),
        ("refs/heads/develop", [f"{VERSION}-0123456789ab", "develop"]),
        ("refs/pull/7/merge", [f"{VERSION}-0123456789ab"]),
        (f"refs/tags/v{VERSION}", [VERSION, VERSION.rpartition(".")[0], "latest"]),
    ],
)
def test_images_carry_version_tags(ref: str, expected: list[str]) -> None:
    outputs = dict(line.split("=", 1) for line in tags("server", ref).stdout.splitlines())
    assert outputs["tags"].split(",") == [f"ghcr.io/example/msil/server:{tag}" for tag in expected]
    assert outputs["reference"] == outputs["tags"].split(",")[0]
    assert outputs["version"] == VERSION


def test_a_tag_that_is_not_the_version_is_refused() -> None:
    done = tags("server", "refs/tags/v99.0.0")
    assert done.returncode == 1
    assert f"not the version of pyproject.toml, {VERSION}" in done.stderr


AWS = r"""#!/bin/sh
# AWS as far as a deployment sees it: every command is written down.
echo "aws $*" >> "$RECORD"
case "$1 $2" in
"sts get-caller-identity") echo 123456789012 ;;
"ecr get-login-password") echo secret ;;
"ecs describe-task-definition")
    printf '{"family": "%s", "revision": 4, "status": "ACTIVE", "taskDefinitionArn": "arn:old",
        "cpu": "512", "containerDefinitions": [{"name": "mcp-server", "image": "old"},
        {"name": "upload", "image": "aws-cli"}]}' "$4" ;;
"ecs register-task-definition")
    cat "${4#file://}" >> "$RECORD"; echo >> "$RECORD"
    sed 's/.*"family": "\([a-z-]*\)".*/arn:\1:5/' "${4#file://}"; echo ;;
"ecs describe-services")
    case "$*" in *networkConfiguration*) echo '{"awsvpcConfiguration": {"subnets": ["a"]}}' ;;
    *) echo "$CURRENT" ;; esac ;;
"ecs run-task") echo arn:aws:ecs:ap-south-1:123456789012:task/msil-mcp-dev/0abc ;;
"ecs describe-tasks") echo "$MIGRATED" ;;
"logs get-log-events") echo "the schema is newer" ;;
esac
"""
DOCKER = r"""#!/bin/sh
echo "docker $*" >> "$RECORD"
case "$*" in
*"inspect"*"--format"*) echo "$DIGEST" ;;
*"inspect"*) exit 1 ;;
esac
"""


def deployed(
    folder: Path,
    *,
    source: str = SOURCE,
    migrated: str = "0",
    current: str = "arn:msil-mcp-dev:5",
) -> "tuple[subprocess.CompletedProcess[str], list[str]]":
    """The script of a deployment, on an AWS that is made up, and what it asked for."""
    for name, text in (("aws", AWS), ("docker", DOCKER)):
        program = folder / name
        program.write_text(text)
        program.chmod(0o755)
    record = folder / "record"
    record.touch()
    done = subprocess.run(
        ["/bin/sh", str(DEPLOY / "ecs.sh"), "msil-mcp-dev", source],
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "AWS_REGION": "ap-south-1",
            "RECORD": str(record),
            "DIGEST": DIGEST,
            "MIGRATED": migrated,
            "CURRENT": current,
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done, record.read_text().splitlines()


def test_a_deployment_copies_by_digest_migrates_and_then_replaces(tmp_path: Path) -> None:
    done, asked = deployed(tmp_path)
    assert done.returncode == 0, done.stderr
    registry = "123456789012.dkr.ecr.ap-south-1.amazonaws.com/msil-mcp-dev/server"
    copied = f"--tag {registry}:0.1.0-abc ghcr.io/example/msil/server@{DIGEST}"
    assert [line for line in asked if copied in line]
    definitions = [yaml.safe_load(line) for line in asked if line.startswith("{")]
    families = [one["family"] for one in definitions]
    assert families == ["msil-mcp-dev-command", "msil-mcp-dev-audit-export", "msil-mcp-dev"]
    for definition in definitions:
        assert set(definition) == {"family", "cpu", "containerDefinitions"}
        images = [container["image"] for container in definition["containerDefinitions"]]
        assert images == [f"{registry}@{DIGEST}", "aws-cli"]
    order = [line.split()[2] for line in asked if line.startswith("aws ecs")]
    assert order.index("run-task") < order.index("update-service")
    assert "In force: arn:msil-mcp-dev:5" in done.stdout


def test_a_migration_that_fails_replaces_nothing(tmp_path: Path) -> None:
    done, asked = deployed(tmp_path, migrated="1")
    assert done.returncode == 1
    assert "the schema is newer" in done.stderr
    assert "nothing was replaced" in done.stderr
    assert not [line for line in asked if "update-service" in line]


def test_an_image_without_a_tag_is_refused(tmp_path: Path) -> None:
    done, asked = deployed(tmp_path, source=f"ghcr.io/example/msil/server@{DIGEST}")
    assert done.returncode == 1
    assert "by its tag" in done.stderr
    assert asked == []


def test_a_deployment_that_ecs_undid_fails(tmp_path: Path) -> None:
    done, _ = deployed(tmp_path, current="arn:msil-mcp-dev:4")
    assert done.returncode == 1
    assert "ECS undid the deployment" in done.stderr


def test_the_role_may_do_what_the_deployment_asks_for(tmp_path: Path) -> None:
    _, asked = deployed(tmp_path, migrated="1")
    _, more = deployed(tmp_path)
    role = (TERRAFORM / "modules/deployer/main.tf").read_text(encoding="utf-8")
    allowed = {action.lower().replace("-", "") for action in re.findall(r'"(\w+:\w+)"', role)}
    wanted = {
        f"{service}:{command.replace('-', '')}"
        for service, command in re.findall(
            r"^aws (\w+) ([\w-]+)", "\n".join(asked + more), re.MULTILINE
        )
        if command != "wait" and service != "sts"
    }
    wanted = {
        action.replace("ecr:getloginpassword", "ecr:getauthorizationtoken") for action in wanted
    }
    assert wanted - allowed == set()


def test_every_lock_is_kept_current() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    covered = {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    for ecosystem, folder in covered:
        assert (ROOT / folder.strip("/")).is_dir(), ecosystem
    assert {name for name, _ in covered} == {
        "github-actions", "docker", "docker-compose", "pip", "npm", "terraform"
    }  # fmt: skip


def test_what_an_image_holds_is_looked_up_for_known_holes(jobs: dict[str, Any]) -> None:
    looked = " ".join(steps(jobs["scan-dependencies"]))
    for name in ("Dockerfile", "booking-api.Dockerfile"):
        text = (DEPLOY / "docker" / name).read_text(encoding="utf-8")
        (lock,) = set(re.findall(r"-r (requirements(?:-booking)?\.txt)", text))
        assert f"--requirement {lock}" in looked
