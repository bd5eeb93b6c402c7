"""What an upstream answers, as it leaves: readable, without secrets, of bounded size."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from databases import Templates, settings_for
from product.ledger import READ, Ledger, publish, running_ledger
from running import Product
from running import product as running_product

pytestmark = pytest.mark.anyio

MAX_BYTES = 2048
CAPPED = "The answer has"


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with running_ledger() as ledger:
        yield ledger


@pytest.fixture(scope="module")
def started(templates: Templates, booking_url: str) -> Iterator[Product]:
    with templates.clone("sqlite") as url:
        settings = settings_for(url, max_result_bytes=MAX_BYTES, redact_output=("mobile",))
        with running_product(settings, booking_url=booking_url) as product:
            yield product


@pytest.fixture
async def product(started: Product, ledger: Ledger) -> Product:
    await publish(started, ledger)
    return started


async def read(product: Product, ledger: Ledger, page: Any) -> Any:
    """The answer for a page: a text as it is, anything else as JSON with escapes."""
    plain = isinstance(page, str)
    ledger.page = page.encode() if plain else json.dumps(page).encode()
    ledger.page_type = "text/plain" if plain else "application/json"
    reply = await product.call(READ, {"number": 1})
    assert reply.status == 200, reply.body
    return reply.json


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x07c\x7fd\x9be", "abcde"),
        ("line\nnext\tcell\r\n", "line\nnext\tcell\r\n"),
        ("नमस्ते · ok", "नमस्ते · ok"),
    ],
    ids=["colour", "title", "link", "controls", "white space stays", "letters stay"],
)
async def test_terminal_and_control_characters_do_not_leave(
    product: Product, ledger: Ledger, sent: str, left: str
) -> None:
    assert (await read(product, ledger, sent))["text"] == left
    answer = await read(product, ledger, {"note": sent, "list": [{sent: sent}], "n": 1})
    expected = {"note": left, "list": [{left: left}], "n": 1}
    assert answer["structured"] == expected
    assert json.loads(answer["text"]) == expected


async def test_secrets_do_not_leave(product: Product, ledger: Ledger) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhc2hhIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
    answer = await read(product, ledger, {"header": f"Bearer {token}", "page": 7})
    assert token not in json.dumps(answer)
    assert answer["structured"]["page"] == 7
    answer = await read(product, ledger, f"use Bearer {token} for it")
    assert token not in answer["text"]
    assert answer["text"].startswith("use ")


async def test_configured_personal_data_is_masked_and_the_rest_is_for_the_caller(
    product: Product, ledger: Ledger
) -> None:
    page = {"mobile": "9876543210", "email": "asha@example.com", "total": 9876543210}
    answer = await read(product, ledger, page)
    assert "9876543210" not in json.dumps(answer)
    assert answer["structured"]["email"] == "asha@example.com"
    assert json.loads(answer["text"]) == answer["structured"]


async def test_an_answer_over_the_size_is_cut_and_says_so(product: Product, ledger: Ledger) -> None:
    answer = await read(product, ledger, {"rows": ["नमस्ते"] * 500})
    assert answer["truncated"] is True
    assert "structured" not in answer
    assert answer["text"].startswith(CAPPED)
    kept = answer["text"].split("\n", 1)[1]
    assert MAX_BYTES - 3 <= len(kept.encode()) <= MAX_BYTES
    fitting = await read(product, ledger, {"rows": ["x" * 100] * 10})
    assert (fitting["truncated"], len(fitting["structured"]["rows"])) == (False, 10)


async def test_the_audit_has_what_left_and_not_what_came(product: Product, ledger: Ledger) -> None:
    await read(product, ledger, {"note": "\x1b[31mred", "mobile": "9876543210"})
    [newest, *_] = product.query(
        "SELECT result FROM audit_records WHERE tool = :tool ORDER BY sequence DESC", tool=READ
    )
    assert "red" in newest.result
    assert "9876543210" not in newest.result
    assert "u001b" not in newest.result
