"""Our own OpenAPI document, which clients are generated from."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from msil_mcp.main import create_app
from msil_mcp.settings import Settings

DOCUMENT = create_app(Settings(_env_file=None)).openapi()
STREAMS = {
    "/metrics",
    "/api/chat/sessions/{session_id}/turns/{run_id}/events",
    "/api/chat/sessions/{session_id}/export",
    "/api/chat/export/finetuning",
    "/v1/chat/completions",
}
"""What is answered with something else than JSON that is described."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_operation_ids_are_plain_and_name_one_operation_each() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name)] == []


def test_every_answer_is_described() -> None:
    vague = []
    for path, method, operation in operations():
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            described = all(media.get("schema") for media in content.values())
            empty = not content and status != "204" and path not in STREAMS
            if status.startswith("2") and path not in STREAMS and (empty or not described):
                vague.append(f"{method} {path} {status}")
    assert vague == []


@pytest.mark.parametrize("room", ["analytics", "connect", "tools", "bundles", "imports"])
def test_what_can_go_wrong_is_described(room: str) -> None:
    for path, method, operation in operations():
        if operation.get("tags") == [room]:
            assert any(status.startswith("4") for status in operation["responses"]), (method, path)
