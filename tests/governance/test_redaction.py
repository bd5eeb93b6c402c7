"""What leaves is clean, and still what it was: JSON stays JSON."""

import msgspec
import pytest

from governance.conftest import Desk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "answer",
    [
        {"next_token": None, "papers": []},
        {"token": 48213, "title": "Deed"},
        {"token": True},
        {"pages": [{"session_token": [1234567, 2]}]},
        {"key": "-----BEGIN PRIVATE KEY-----\nMIIE", "title": "Deed"},
    ],
)
async def test_an_answer_with_something_like_a_secret_stays_readable_json(
    desk: Desk, answer: dict[str, object]
) -> None:
    desk.office.says(answer)
    reply = await desk.product.call("get_paper", {"paper": "7"})
    assert reply.status == 200
    shown = reply.json["structured"]
    assert shown.keys() == answer.keys()
    assert shown.get("title") == answer.get("title")
    assert msgspec.json.decode(reply.json["text"]) == shown


async def test_a_secret_in_an_answer_is_taken_out(desk: Desk) -> None:
    secret = "sk-" + "a1b2" * 6
    desk.office.says({"note": f"use {secret}", "password": "correct horse"})
    reply = await desk.product.call("get_paper", {"paper": "7"})
    assert secret not in reply.body.decode()
    assert "correct horse" not in reply.body.decode()
    assert reply.json["structured"].keys() == {"note", "password"}
