"""The reference says what the code says, and pages lead to what is there."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command
from typer.core import TyperGroup
from typer.main import get_command

from booking_api.settings import BookingSettings
from msil_mcp.settings import Settings

ROOT = Path(__file__).parent.parent
RENDER = runpy.run_path(str(ROOT / "scripts" / "render_reference.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(path for path in (ROOT / "src").rglob("*") if path.suffix in {".py", ".toml"})
COMMAND = re.compile(r"(?<!application_name=\")\bmsil-mcp ((?:[a-z]+-?)+)(?: ((?:[a-z]+-?)+))?")
TYPED = re.compile(r"\bmsil-mcp ([a-z][^\n`|;&<>)]*)")
VARIABLE = re.compile(r"\bMSIL_[A-Z][A-Z_]*[A-Z]\b")
OF_TESTS = {"MSIL_REQUIRE_ALL"}
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def named_commands() -> Iterator[tuple[Path, str, str]]:
    for path in (*PAGES, *SOURCES):
        for group, command in COMMAND.findall(path.read_text(encoding="utf-8")):
            yield path, group, command


@pytest.mark.parametrize("page", RENDER["PAGES"])
def test_page_says_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == RENDER["PAGES"][page](), f"docs/reference/{page} is stale: run make docs"


@pytest.mark.parametrize("settings", [Settings, BookingSettings])
def test_every_setting_says_what_it_means(settings: type[Settings | BookingSettings]) -> None:
    silent = [name for name, field in settings.model_fields.items() if not field.description]
    assert silent == []


def test_commands_that_pages_and_messages_name_exist() -> None:
    from msil_mcp.cli import build

    commands = get_command(build()).commands
    missing = []
    for path, name, below in named_commands():
        command = commands.get(name)
        if command is None or (
            isinstance(command, TyperGroup) and below and below not in command.commands
        ):
            missing.append(f"{path.relative_to(ROOT)}: msil-mcp {name} {below}")
    assert missing == []


def options_named() -> Iterator[tuple[Path, list[str], str]]:
    """Each option that a page gives our command, with the command's words before it."""
    for page in PAGES:
        for typed in TYPED.findall(page.read_text(encoding="utf-8")):
            words = typed.split()
            for at, word in enumerate(words):
                if option := re.match(r"--[a-z][a-z-]*", word):
                    yield page, words[:at], option[0]


def options_of(commands: dict[str, Command], words: list[str]) -> set[str] | None:
    """Every option of the command that the words name; None when they name none of ours."""
    found = commands.get(words[0]) if words else None
    if isinstance(found, TyperGroup):
        found = found.commands.get(words[1]) if len(words) > 1 else None
    return {option for one in found.params for option in one.opts} if found else None


def test_options_that_pages_give_exist() -> None:
    from msil_mcp.cli import build

    commands = get_command(build()).commands
    checked, missing = 0, []
    for page, words, option in options_named():
        known = options_of(commands, words)
        if known is None:
            continue
        checked += 1
        if option not in {*known, "--help"}:
            missing.append(f"{page.relative_to(ROOT)}: msil-mcp {' '.join(words)} {option}")
    assert missing == []
    assert checked > 30


def test_links_between_pages_lead_somewhere() -> None:
    lost = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert lost == []


def test_variables_that_pages_and_messages_name_are_settings() -> None:
    known = set(VARIABLE.findall(RENDER["settings_page"]())) | OF_TESTS
    unknown = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*PAGES, *SOURCES)
        for name in VARIABLE.findall(path.read_text(encoding="utf-8"))
        if name not in known
    ]
    assert unknown == []
