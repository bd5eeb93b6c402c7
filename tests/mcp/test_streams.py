"""What is sent while a call runs, and on streams that stand: both eras, over real connections."""

from collections.abc import Iterator
from typing import Any

import pytest

from bare_client import MODERN, VERSIONS, Stream, Talk
from conformance.fixture_app import FixtureApp, side_by_side
from running import serving

LOG_LEVEL = "io.modelcontextprotocol/logLevel"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


@pytest.fixture
def replicas() -> Iterator[tuple[str, str]]:
    one = FixtureApp()
    two = FixtureApp(bus=one.bus, revocations=one.revocations)
    with serving(side_by_side(one=one, two=two)) as (base_url, _):
        yield f"{base_url}/one/mcp", f"{base_url}/two/mcp"


def begun(url: str, version: str = "2025-11-25", **options: Any) -> Talk:
    talk = Talk(url, version, **options)
    talk.begin()
    return talk


def call(talk: Talk, tool: str, **meta: Any) -> dict[str, Any]:
    return talk.request("tools/call", {"name": tool, "arguments": {}, "_meta": meta})


@pytest.mark.parametrize("version", VERSIONS)
def test_progress_comes_before_the_answer_to_who_gave_a_token(url: str, version: str) -> None:
    talk = begun(url, version)

    with talk.stream(call(talk, "test_tool_with_progress", progressToken="p1")) as stream:
        *progress, response = stream.messages()

    assert [each["params"]["progress"] for each in progress] == [0, 50, 100]
    assert {each["params"]["progressToken"] for each in progress} == {"p1"}
    assert response["result"]["content"][0]["text"] == "finished"


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_token_the_answer_is_plain(url: str, version: str) -> None:
    talk = begun(url, version)

    assert talk.call("test_tool_with_progress").headers["content-type"] == "application/json"


def test_a_client_that_takes_no_streams_gets_the_answer_alone(url: str) -> None:
    talk = Talk(url, MODERN)
    message = call(talk, "test_tool_with_progress", progressToken=1)

    response = talk.post(message, Accept="application/json")

    assert response.result["content"][0]["text"] == "finished"


@pytest.mark.parametrize(("level", "heard"), [("debug", 3), ("info", 3), ("warning", 0)])
def test_modern_log_messages_are_those_the_request_asked_for(
    url: str, level: str, heard: int
) -> None:
    talk = Talk(url, MODERN)
    message = call(talk, "test_tool_with_logging", **{LOG_LEVEL: level})

    if not heard:
        assert talk.post(message).status == 200
        return
    with talk.stream(message) as stream:
        *logged, _ = stream.messages()

    assert [each["params"]["level"] for each in logged] == ["info"] * heard


def test_a_modern_request_without_a_level_hears_no_log(url: str) -> None:
    talk = Talk(url, MODERN)

    assert talk.call("test_tool_with_logging").headers["content-type"] == "application/json"


def test_a_level_set_through_one_replica_counts_at_the_other(replicas: tuple[str, str]) -> None:
    talk = begun(replicas[0])
    assert talk.ask("logging/setLevel", {"level": "error"}).result == {}

    quiet = talk.at(replicas[1]).call("test_tool_with_logging")

    assert quiet.headers["content-type"] == "application/json"


def test_a_broken_answer_stream_is_resumed_at_another_replica(replicas: tuple[str, str]) -> None:
    talk = begun(replicas[0])
    with talk.stream(call(talk, "test_reconnection")) as stream:
        events = list(stream.events())
    first, logged = events
    assert (first["data"], first["retry"]) == ("", "500")

    with talk.at(replicas[1]).listen(Last_Event_ID=logged["id"]) as resumed:
        (response,) = resumed.messages()
    with talk.listen(Last_Event_ID=first["id"]) as resumed:
        again = list(resumed.messages())

    assert response["result"]["content"][0]["text"] == "Reconnection test completed"
    assert [each.get("method") for each in again] == ["notifications/message", None]


def test_a_stream_of_another_session_is_not_resumed() -> None:
    app = FixtureApp()
    with serving(app.create()) as (base_url, server):
        talk, other = begun(f"{base_url}/mcp"), begun(f"{base_url}/mcp")
        with talk.stream(call(talk, "test_reconnection")) as stream:
            first, *_ = stream.events()

        with other.listen(Last_Event_ID=first["id"]) as resumed:
            server.submit(drain(app))
            assert list(resumed.events()) == []


def opened(stream: Stream) -> Iterator[dict[str, str]]:
    """Past the priming event, so that nothing can be missed any more."""
    events = stream.events()
    assert next(events)["data"] == ""
    return events


def test_a_session_hears_when_its_list_changes_at_its_own_replica(url: str) -> None:
    talk = begun(url)
    with talk.listen() as stream:
        events = opened(stream)
        talk.call("test_trigger_prompt_change")
        talk.call("test_trigger_tool_change")
        heard = [next(events)["data"], next(events)["data"]]

    assert "notifications/prompts/list_changed" in heard[0]
    assert "notifications/tools/list_changed" in heard[1]


def test_a_session_that_comes_back_hears_what_it_missed(url: str) -> None:
    talk = begun(url)
    with talk.listen() as stream:
        seen = next(stream.events())["id"]
    talk.call("test_trigger_tool_change")

    with talk.listen(Last_Event_ID=seen) as stream:
        events = opened(stream)
        assert "notifications/tools/list_changed" in next(events)["data"]


def test_a_session_hears_of_resources_it_subscribed_to(url: str) -> None:
    talk = begun(url)
    uri = "test://watched-resource"
    assert talk.ask("resources/subscribe", {"uri": "test://nothing"}).code == -32002
    assert talk.ask("resources/subscribe", {"uri": uri}).result == {}
    assert talk.ask("resources/subscribe", {"uri": "test://static-text"}).result == {}
    assert talk.ask("resources/unsubscribe", {"uri": "test://static-text"}).result == {}
    with talk.listen() as stream:
        events = opened(stream)
        talk.call("test_trigger_tool_change")
        assert "tools/list_changed" in next(events)["data"]
        updated = next(events)["data"]
        talk.call("test_trigger_prompt_change")
        after = next(events)["data"]

    assert f'"uri":"{uri}"' in updated
    assert "prompts/list_changed" in after


def listening(talk: Talk, **wanted: Any) -> dict[str, Any]:
    return talk.request("subscriptions/listen", {"notifications": wanted})


def test_a_listener_is_told_first_what_it_will_hear(url: str) -> None:
    talk = Talk(url, MODERN)
    message = listening(talk, toolsListChanged=True, resourcesListChanged=False)

    with talk.stream(message) as stream:
        acknowledged = next(stream.messages())

    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}
    assert acknowledged["params"]["_meta"] == {SUBSCRIPTION: message["id"]}


def test_a_listener_hears_only_what_it_wanted(url: str) -> None:
    talk = Talk(url, MODERN)
    uri = "test://watched-resource"
    message = listening(talk, promptsListChanged=True, resourceSubscriptions=[uri])

    with talk.stream(message) as stream:
        messages = stream.messages()
        next(messages)
        talk.call("test_trigger_tool_change")
        updated = next(messages)
        talk.call("test_trigger_prompt_change")
        changed = next(messages)

    assert updated["method"] == "notifications/resources/updated"
    assert updated["params"]["uri"] == uri
    assert changed["method"] == "notifications/prompts/list_changed"
    assert changed["params"]["_meta"] == {SUBSCRIPTION: message["id"]}


def test_listening_takes_a_stream(url: str) -> None:
    talk = Talk(url, MODERN)

    assert talk.post(listening(talk), Accept="application/json").status == 406


def test_streams_end_when_the_process_drains() -> None:
    app = FixtureApp()
    with serving(app.create()) as (base_url, server):
        modern, legacy = Talk(f"{base_url}/mcp", MODERN), begun(f"{base_url}/mcp")
        message = listening(modern, toolsListChanged=True)
        with modern.stream(message) as listened, legacy.listen() as stood:
            messages, events = listened.messages(), opened(stood)
            next(messages)
            server.submit(drain(app))
            farewell = next(messages)

            assert farewell["id"] == message["id"]
            assert farewell["result"]["_meta"][SUBSCRIPTION] == message["id"]
            assert list(messages) == list(events) == []


async def drain(app: FixtureApp) -> None:
    assert app.running is not None
    app.running.changes.close()
