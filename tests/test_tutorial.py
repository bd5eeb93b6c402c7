"""The tutorial works word for word, and the documentation builds as a site."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from running import free_port
from test_readme import started

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial.md"
GUIDES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
    if page != TUTORIAL and "<!-- run -->" in page.read_text(encoding="utf-8")
)
STEP = re.compile(
    r"<!-- run -->\n```sh\n(?P<typed>.*?)```\n"
    r"(?:(?:(?!<!-- run -->|```).)*?```text\n(?P<told>.*?)```)?",
    re.DOTALL,
)
LEFT_OUT = "…"
BETWEEN_STEPS = "--- end of a step ---"


@dataclass(frozen=True)
class Step:
    """What a page has one type, and what it says will be printed."""

    typed: str
    told: list[str]


def steps_of(page: Path) -> list[Step]:
    text = page.read_text(encoding="utf-8")
    found = [Step(m["typed"], (m["told"] or "").splitlines()) for m in STEP.finditer(text)]
    assert len(found) == text.count("<!-- run -->"), f"{page.name} marks what is no block of sh"
    return found


def as_pattern(line: str) -> str:
    """A promised line; what it leaves out may be anything, and columns may be wider."""
    parts = (re.sub(r"(\\ )+", r"\\s+", re.escape(part.strip())) for part in line.split(LEFT_OUT))
    return ".*".join(parts)


def follow(page: Path, *, folder: Path, server: str) -> None:
    """Type everything a page has one type, in one shell, and hold it to what it promises."""
    steps = steps_of(page)
    script = f"\necho '{BETWEEN_STEPS}'\n".join(step.typed for step in steps)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    done = subprocess.run(
        ["sh", "-eu", "-c", script.replace(":8000", f":{server}")],
        cwd=folder,
        env={"PATH": f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin", "PORT": server},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    for step, printed in zip(steps, done.stdout.split(BETWEEN_STEPS), strict=True):
        for promised in step.told:
            line = promised.replace(":8000", f":{server}")
            assert re.search(as_pattern(line), printed), f"{promised!r} is not in:\n{printed}"


def test_the_tutorial_books_word_for_word(tmp_path: Path) -> None:
    server, booking = str(free_port()), str(free_port())
    demo = ["-m", "msil_mcp", "demo", "--port", server, "--booking-port", booking]
    with started(demo, until="Uvicorn running", folder=tmp_path):
        follow(TUTORIAL, folder=tmp_path, server=server)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda page: page.stem)
def test_what_a_guide_has_one_type_works(guide: Path, tmp_path: Path) -> None:
    migrate = [sys.executable, "-m", "msil_mcp", "migrate"]
    subprocess.run(migrate, cwd=tmp_path, env={}, check=True, capture_output=True)
    follow(guide, folder=tmp_path, server=str(free_port()))


@pytest.mark.parametrize("language", ["sh", "powershell"])
def test_the_testing_guide_has_the_commands_that_were_asked_for(language: str) -> None:
    text = (ROOT / "TESTING_GUIDE.md").read_text(encoding="utf-8")
    typed = "\n".join(re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL))
    for command in (
        "pip install -r requirements",
        "python -m pytest tests/ -v",
        "python -m pytest tests/ -v --cov=msil_mcp --cov-report=html",
        "python -m pytest tests/test_mcp_protocol.py -v",
        "python -m pytest tests/ -v -m anyio",
        "python -m uvicorn msil_mcp.main:app --reload --port 8000",
        "http://localhost:8000/health",
        "http://localhost:8000/ready",
        "http://localhost:8000/metrics",
        "msil-mcp doctor",
        "docker start msil-postgres",
    ):
        assert command in typed


# --- the site ---


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if identity := named.get("id"):
            self.anchors.add(identity)
        if target := named.get("href") or named.get("src"):
            self.links.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "build" / "site"


def within(site: Path, page: Path, target: str) -> Path:
    path = unquote(urlsplit(target).path)
    found = (site / path.lstrip("/") if path.startswith("/") else page.parent / path).resolve()
    return found / "index.html" if found.is_dir() else found


def lost_links(site: Path) -> Iterator[str]:
    # The page for what is not found is the same at every depth.
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    for path, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(link)
            if urlsplit(link).scheme:
                continue
            at = within(site, path, target) if target else path
            known = pages[at].anchors if at in pages else set()
            if not at.exists() or (anchor and at in pages and unquote(anchor) not in known):
                yield f"{path.relative_to(site)}: {link}"


def test_every_link_of_the_site_leads_to_a_page_and_a_place_in_it(site: Path) -> None:
    assert sorted(set(lost_links(site))) == []


def pages_in(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for below in entry:
            yield from pages_in(below)
    elif isinstance(entry, dict):
        for below in entry.values():
            yield from pages_in(below)


def navigation() -> list[str]:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    return list(pages_in(nav))


def test_no_page_is_in_the_navigation_twice() -> None:
    assert sorted(set(navigation())) == sorted(navigation())


def test_every_page_is_in_the_navigation() -> None:
    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    # A runbook is reached from its alert and from the list, a decision from the list.
    listed = {
        f"{folder}/{page}"
        for folder in ("runbooks", "decisions")
        for page in re.findall(
            r"\]\(([\w-]+\.md)", (DOCS / folder / "README.md").read_text(encoding="utf-8")
        )
    }
    assert there - set(navigation()) - listed == set()
