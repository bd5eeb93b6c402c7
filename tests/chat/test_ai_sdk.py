"""Vercel's AI SDK, as an independent reader of our streams: it holds a booking to its end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.conversing import BOOKING_TOOLS, booking_id, order
from nodes import Node, node_in
from running import Booking, Product

HERE = Path(__file__).parent / "ai_sdk"


@pytest.fixture
def node(component: Callable[[str], str]) -> Node:
    return node_in(HERE, component)


def texts(message: Any) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def calls(message: Any) -> list[tuple[str, str]]:
    """Tools and what the SDK says has become of them."""
    return [
        (part["type"].removeprefix("tool-"), part["state"])
        for part in message["parts"]
        if part["type"].startswith("tool-")
    ]


def test_the_ai_sdk_reads_a_whole_booking_from_our_stream(
    chatting: Product, booking: Booking, node: Node, tmp_path: Path
) -> None:
    lines = [order("15:00"), "9876543210, regular, yes", "Thank you"]

    run = node.run("book.mjs", chatting.url, chatting.keys["user"], *lines, home=tmp_path)

    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    first, second, third = seen["messages"]
    done = "output-available"
    assert calls(first) == [(name, done) for name in BOOKING_TOOLS[:3]]
    assert calls(second) == [(name, done) for name in BOOKING_TOOLS[3:]]
    assert calls(third) == []
    assert booking.rows(booking_id(texts(second)))
    stored = chatting.query(
        "SELECT id, status FROM chat_messages WHERE session_id = :s AND role = 'assistant'"
        " ORDER BY sequence",
        s=seen["session"],
    )
    assert [(row.id, row.status) for row in stored] == [
        (message["id"], "complete") for message in seen["messages"]
    ]
    [card] = [part for part in second["parts"] if part["type"] == "data-approval"]
    assert card["data"]["state"] in {"approved", "used"}
    assert "9876543210" not in json.dumps(card)
