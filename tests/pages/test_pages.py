"""The built apps as a browser gets them, from a real server over a directory like a build's."""

import gzip
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from msil_mcp.pages.api import pages_router
from msil_mcp.pages.headers import GuardedAnswers
from msil_mcp.problems import install_problem_handlers
from msil_mcp.settings import Settings
from running import serving

INDEX = """<!doctype html><html><head>
<meta property="csp-nonce" nonce="__CSP_NONCE__">
<script type="module" src="/chat/assets/app-1a2b.js" nonce="__CSP_NONCE__"></script>
</head><body><div id="root"></div></body></html>
"""
SCRIPT = "export const sentence = 'Which dealers are near Baner?';\n" * 50


@dataclass
class Site:
    client: httpx2.Client
    folder: Path

    def get(self, path, **headers):
        return self.client.get(path, headers=headers)


def build(folder):
    """What `npm run build` leaves."""
    for name in ("chat", "admin"):
        assets = folder / name / "assets"
        assets.mkdir(parents=True)
        (folder / name / "index.html").write_text(INDEX.replace("/chat/", f"/{name}/"))
        (folder / name / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        (assets / "app-1a2b.js").write_text(SCRIPT)
        (assets / "app-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
        (assets / "app-1a2b.js.br").write_bytes(b"as if by brotli")
        (assets / "app-3c4d.css").write_text("body { margin: 0 }")
    (folder / "secret.txt").write_text("not for anybody")


@pytest.fixture(scope="module")
def made_site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    install_problem_handlers(app)
    app.include_router(pages_router(folder))
    app.add_middleware(GuardedAnswers, settings=Settings(_env_file=None))
    with serving(app) as (url, _), httpx2.Client(base_url=url) as client:
        client.headers["Accept-Encoding"] = "identity"
        yield Site(client, folder)


@pytest.fixture
def site(made_site):
    for name in ("chat", "admin"):
        shutil.rmtree(made_site.folder / name, ignore_errors=True)
    build(made_site.folder)
    return made_site


def directives(answer):
    parts = answer.headers["content-security-policy"].split("; ")
    return {part.partition(" ")[0]: part.partition(" ")[2] for part in parts}


@pytest.mark.parametrize(
    "path",
    ["/chat", "/chat/", "/chat/index.html", "/chat/s/17", "/admin/tools/a.b?page=2", "/admin/%00"],
)
def test_every_place_in_an_app_is_its_page(site, path):
    answer = site.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'src="/{path.split("/")[1]}/assets/app-1a2b.js"' in answer.text


def test_the_root_leads_to_the_chat(site):
    answer = site.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/chat")


def test_a_page_runs_our_files_alone_and_has_a_nonce_of_its_own(site):
    first, second = site.get("/chat"), site.get("/chat")

    nonces = {re.findall(r'nonce="([^"]+)"', answer.text)[0] for answer in (first, second)}
    assert len(nonces) == 2
    assert "__CSP_NONCE__" not in first.text
    policy = directives(second)
    own = re.findall(r'nonce="([^"]+)"', second.text)
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{own[0]}'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert set(own) == {own[0]}


def test_a_page_is_asked_for_each_time_and_never_answered_from_a_cache(site):
    answer = site.get("/chat", **{"If-None-Match": "*", "If-Modified-Since": "Sun, 01 Jan 2090"})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert "etag" not in answer.headers
    assert "last-modified" not in answer.headers


@pytest.mark.parametrize("path", ["/chat", "/chat/assets/app-1a2b.js", "/", "/admin/nope"])
def test_every_answer_says_what_a_browser_must_not_do(site, path):
    headers = site.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "content-security-policy" in headers


def test_a_page_gives_up_what_it_does_not_need(site):
    headers = site.get("/chat").headers

    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert {"camera=()", "geolocation=()"} <= set(headers["permissions-policy"].split(", "))


def test_a_file_named_by_its_content_is_kept_for_a_year(site):
    answer = site.get("/chat/assets/app-1a2b.js")

    assert answer.text == SCRIPT
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    icon = site.get("/chat/icon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    assert icon.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("BR", "br"),
        ("identity", None),
        ("br;q=0.0, gzip;q=0", None),
        ("brotli, xgzip", None),
    ],
)
def test_what_the_build_compressed_is_sent_to_those_who_take_it(site, accepted, encoding):
    request = site.client.build_request(
        "GET", "/chat/assets/app-1a2b.js", headers={"Accept-Encoding": accepted}
    )
    answer = site.client.send(request, stream=True)
    raw = b"".join(answer.iter_raw())

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert raw == (site.folder / "chat" / "assets" / f"app-1a2b.js{suffix}").read_bytes()


def test_what_was_not_compressed_is_sent_as_it_is(site):
    answer = site.get("/chat/assets/app-3c4d.css", **{"Accept-Encoding": "br, gzip"})

    assert "content-encoding" not in answer.headers
    assert answer.text == "body { margin: 0 }"


def test_a_file_that_did_not_change_is_not_sent_again(site):
    first = site.get("/chat/icon.svg")

    again = site.get("/chat/icon.svg", **{"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
    icon = site.folder / "chat" / "icon.svg"
    icon.write_text("<svg/>")
    changed = site.get("/chat/icon.svg", **{"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.text) == (200, "<svg/>")


@pytest.mark.parametrize("path", ["/chat", "/chat/icon.svg", "/chat/assets/app-1a2b.js"])
def test_head_tells_what_get_would_send(site, path):
    got, told = site.get(path), site.client.head(path)

    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["content-length"] == got.headers["content-length"]
    assert told.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_pages_are_for_reading(site, method):
    assert site.client.request(method, "/chat/icon.svg").status_code == 405


def test_a_file_of_an_older_build_is_missing_and_not_a_page(site):
    answer = site.get("/chat/assets/app-old.js")

    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_file")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/chat/../secret.txt",
        "/chat/%2e%2e/secret.txt",
        "/chat/..%2fsecret.txt",
        "/chat/assets/..%2f..%2f..%2fsecret.txt",
        "/chat/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/chat/%2fetc%2fpasswd",
        "/chat//etc/passwd",
        "/chat/..%5csecret.txt",
        "/chat/assets/%2e%2e%2f%00secret.txt",
        "/chat/" + "x" * 5000,
        "/chat/link.txt",
        "/chat/assets",
    ],
)
def test_nothing_outside_of_an_app_is_ever_served(site, path):
    (site.folder / "chat" / "link.txt").symlink_to(site.folder / "secret.txt")

    raw = httpx2.URL(str(site.client.base_url)).copy_with(raw_path=path.encode())
    answer = site.client.get(raw)

    assert "not for anybody" not in answer.text
    assert "root:" not in answer.text
    assert answer.status_code in {200, 404}


def test_without_a_build_a_page_says_how_to_get_one(site):
    shutil.rmtree(site.folder / "chat")

    answer = site.get("/chat/s/1")

    assert answer.status_code == 503
    assert "<pre>make web</pre>" in answer.text
    assert "Node 20" in answer.text
    nonce = re.findall(r'<style nonce="([^"]+)"', answer.text)[0]
    assert directives(answer)["style-src"] == f"'self' 'nonce-{nonce}'"
    assert answer.headers["cache-control"] == "no-store"
    assert site.get("/admin").status_code == 200
    build_again = site.folder / "chat"
    build_again.mkdir()
    (build_again / "index.html").write_text(INDEX)
    assert site.get("/chat").status_code == 200
