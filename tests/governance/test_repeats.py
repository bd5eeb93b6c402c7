"""What a repeated key may do after the first attempt ended badly."""

from collections.abc import Iterator

import pytest

from governance.conftest import Desk
from governance.office import Office, document
from running import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, Office]]:
    app = Office()
    with serving(app) as (url, _):
        yield url, app


async def test_an_agreed_call_is_not_sent_anew_to_a_tool_that_has_changed(
    desk: Desk, elsewhere: tuple[str, Office]
) -> None:
    url, other = elsewhere
    arguments = {"title": "Deed of the house"}
    await desk.agreed("file_paper", arguments)
    desk.office.says({"oops": True}, status=504)
    first = await desk.product.call("file_paper", arguments, key="house")
    assert first.json["outcome"] == "unknown"
    other.says({"filed": True})
    assert (await desk.bring(document(url))).status == 200
    try:
        again = await desk.product.call("file_paper", arguments, key="house")
        assert other.asked == []
        assert (again.status, again.json["error"]) == (409, "tool_changed_since")
    finally:
        assert (await desk.bring(document(desk.url))).status == 200


async def test_a_call_that_was_never_sent_can_be_repeated_with_its_key(desk: Desk) -> None:
    gone = "http://127.0.0.1:9"
    arguments = {"title": "Nobody is in"}
    assert (await desk.bring(document(gone))).status == 200
    try:
        await desk.agreed("file_paper", arguments)
        first = await desk.product.call("file_paper", arguments, key="nobody")
        assert (first.json["outcome"], first.json["upstream_status"]) == ("failed", None)
        again = await desk.product.call("file_paper", arguments, key="nobody")
        assert again.json["replayed"] is False
    finally:
        assert (await desk.bring(document(desk.url))).status == 200
