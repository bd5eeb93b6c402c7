"""`msil-mcp import`: what a document becomes, what a second one changes, and what is refused."""

from typing import Any

import pytest

from commands import Commands
from tools.documents import garage


def changes(report: Any) -> dict[str, str]:
    return {tool["name"]: tool["change"] for tool in report["tools"]}


def bring(cli: Commands, document: object, *options: str, bundle: str = "garage") -> Any:
    path = cli.write("garage.json", document)
    return cli.json("import", path, "--bundle", bundle, "--allow-private", *options)


def test_a_document_becomes_tools_of_a_bundle(cli: Commands) -> None:
    report = bring(cli, garage(), "--publish")
    assert changes(report) == {"list_lifts": "added", "get_lift": "added"}
    assert cli.json("bundles", "list")[0]["published"] == 2
    shown = cli.json("tools", "show", "get_lift")
    assert shown["request"]["path"] == "/get_lift"
    assert shown["base_url"] == "http://127.0.0.1:9"


def test_the_same_document_twice_changes_nothing(cli: Commands) -> None:
    bring(cli, garage(), "--publish")
    again = bring(cli, garage(), "--publish")
    assert again["changed"] is False
    assert set(changes(again).values()) == {"unchanged"}
    assert again["document"] == 1


def test_a_changed_operation_gets_a_version_and_a_removed_one_a_tombstone(cli: Commands) -> None:
    bring(cli, garage(), "--publish")
    report = bring(cli, garage(get_lift={"summary": "Find a lift"}, book_lift={}), "--publish")
    assert changes(report) == {"get_lift": "changed", "book_lift": "added", "list_lifts": "removed"}
    states = {tool["name"]: tool for tool in cli.json("tools", "list")}
    assert (states["get_lift"]["version"], states["get_lift"]["published"]) == (2, 2)
    assert states["list_lifts"]["removed"] is True
    back = bring(cli, garage(), "--publish")
    assert changes(back)["list_lifts"] == "restored"


def test_drafts_are_not_in_force_until_published(cli: Commands) -> None:
    bring(cli, garage())
    assert {tool["published"] for tool in cli.json("tools", "list")} == {None}
    assert "2 tools of garage came into force" in cli.run("bundles", "publish", "garage")
    assert {tool["published"] for tool in cli.json("tools", "list")} == {1}
    assert "2 tools of garage are out of force" in cli.run("bundles", "withdraw", "garage")


def test_a_dry_run_stores_nothing(cli: Commands) -> None:
    report = bring(cli, garage(), "--dry-run")
    assert changes(report)["get_lift"] == "added"
    assert cli.json("tools", "list") == []


def test_by_tag_one_document_fills_several_bundles(cli: Commands) -> None:
    document = garage(list_lifts={"tags": ["Lift Care"]}, get_lift={})
    report = bring(cli, document, "--by", "tag")
    assert report["bundles"] == ["garage", "lift_care"]


def test_a_name_that_another_document_took_is_told_apart(cli: Commands) -> None:
    bring(cli, garage(), "--name", "first")
    other = bring(cli, garage(), "--name", "second", bundle="other")
    assert set(changes(other)) == {"other_list_lifts", "other_get_lift"}


def test_a_document_reads_from_standard_input(cli: Commands) -> None:
    import json

    out = cli.run(
        "import", "-", "--bundle", "garage", "--allow-private", stdin=json.dumps(garage())
    )
    assert "Stored as drafts" in out


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"openapi": "3.1.0",\n  "info": oops}', "broken.json:2:"),
        ('{"openapi": "3.1.0", "info": {"title": "T", "version": "1"}}', "broken.json#"),
        ('{"openapi": "9.0"}', "9.0"),
        ("", "broken.json"),
    ],
)
def test_a_broken_file_is_one_line_naming_the_place(
    cli: Commands, content: str, named: str
) -> None:
    path = cli.write("broken.json", content)
    said = cli.run("import", path, "--bundle", "garage", code=1)
    assert named in said
    assert said.count("\n") == 1
    assert cli.json("tools", "list") == []


def test_an_api_inside_the_network_is_asked_about_once(cli: Commands) -> None:
    path = cli.write("garage.json", garage())
    said = cli.run("import", path, "--bundle", "garage", code=1)
    assert "--allow-private" in said


def test_a_document_without_a_server_needs_a_base_url(cli: Commands) -> None:
    path = cli.write("garage.json", {**garage(), "servers": []})
    assert "--base-url" in cli.run("import", path, "--bundle", "garage", code=1)
    report = cli.json(
        "import",
        path,
        "--bundle",
        "garage",
        "--base-url",
        "http://127.0.0.1:9/v1/",
        "--allow-private",
    )
    assert report["base_url"] == "http://127.0.0.1:9/v1"


def test_every_import_leaves_an_audit_record(cli: Commands) -> None:
    bring(cli, garage(), "--publish")
    records = cli.json("audit", "search")
    assert [(record["action"], record["target"]) for record in records] == [
        ("bundle.published", "garage"),
        ("document.imported", "garage"),
    ]
    assert cli.json("audit", "verify")["problem_count"] == 0
