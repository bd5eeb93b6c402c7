"""The web apps say in sentences why an identity provider's sign-in came to nothing."""

import importlib
import json
import re
from pathlib import Path

from msil_mcp.errors import MsilError

WEB = Path(__file__).parents[2] / "web"
ON_THE_WAY = ("attempts", "code_flow", "discovery", "key_sets", "oidc", "people")
"""The rooms whose refusals come back to the page, as `?sign_in_error=<slug>`."""
BEFORE_IT = {"oidc_not_configured", "bad_destination"}
"""Told by the server itself, before the browser leaves for the provider."""


def _slugs() -> set[str]:
    modules = [importlib.import_module(f"msil_mcp.identity.{name}") for name in ON_THE_WAY]
    return {
        found.slug
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, MsilError)
        and found.__module__ == module.__name__
        and "slug" in vars(found)
    }


def test_every_reason_why_a_sign_in_fails_has_a_sentence() -> None:
    source = (WEB / "packages/ui/src/signInWords.ts").read_text(encoding="utf-8")
    listed = re.search(r"SIGN_IN_REASONS = \[(.*?)\]", source, re.DOTALL)
    assert listed is not None
    known = set(re.findall(r'"(\w+)"', listed[1]))
    assert known >= _slugs() - BEFORE_IT

    for language in ("en", "hi"):
        catalogue = WEB / f"chat-ui/src/locales/{language}.json"
        told = json.loads(catalogue.read_text(encoding="utf-8"))["signIn"]["reasons"]
        assert set(told) == known, language
