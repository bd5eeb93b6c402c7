"""The look of the pages that need no build: one file, no script, dark where that is wanted."""

from html import escape
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem;
  color: #1b2733; background: #fff; }
h1, h2 { color: #003d79; line-height: 1.25; }
h2 { margin-top: 2.5rem; font-size: 1.25rem; }
a { color: #003d79; }
pre, code { font: 0.9em ui-monospace, monospace; }
pre { padding: 0.75rem 1rem; background: #eef2f6; border-radius: 6px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th:nth-child(2) { width: 12%; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 1rem 0.4rem 0;
  border-bottom: 1px solid #d5dde5; overflow-wrap: anywhere; }
th { font-weight: 600; }
details { border-bottom: 1px solid #d5dde5; }
details table { margin-bottom: 1.5rem; }
summary { padding: 0.5rem 0; cursor: pointer; }
@media (prefers-color-scheme: dark) {
  body { color: #dfe6ee; background: #11161c; }
  h1, h2, a { color: #8fc1f2; }
  pre { background: #1c242d; }
  th, td, details { border-color: #33404d; }
}
"""


def plain_page(title: str, body: str, *, nonce: str) -> str:
    """A whole page; `body` is HTML already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} - MSIL MCP Server</title>\n"
        '<link rel="icon" href="data:,">\n'
        f'<style nonce="{nonce}">{_STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
