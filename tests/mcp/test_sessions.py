"""Legacy sessions over two replicas that share nothing but a key, a bus and ended sessions."""

from collections.abc import Iterator
from typing import Any

import pytest

from bare_client import LEGACY, Talk
from conformance.fixture_app import FixtureApp, side_by_side
from msil_mcp.settings import Settings
from running import serving


@pytest.fixture(scope="module")
def replicas() -> Iterator[tuple[str, str]]:
    """Two replicas on one event loop: each has its own relay, and hears the other over the bus."""
    one = FixtureApp()
    two = FixtureApp(bus=one.bus, revocations=one.revocations)
    with serving(side_by_side(one=one, two=two)) as (base_url, _):
        yield f"{base_url}/one/mcp", f"{base_url}/two/mcp"


def begun(url: str, version: str = "2025-11-25", **options: Any) -> Talk:
    talk = Talk(url, version, **options)
    talk.begin()
    return talk


@pytest.mark.parametrize("version", LEGACY)
def test_initialize_agrees_on_the_version_the_client_wants(url: str, version: str) -> None:
    response = Talk(url, version).begin()

    assert response is not None
    assert response.result["protocolVersion"] == version
    assert response.result["serverInfo"]["name"] == "MSIL MCP Server"
    assert "agreement of a person" in response.result["instructions"]


def test_initialize_offers_the_latest_version_for_an_unknown_one(url: str) -> None:
    talk = Talk(url, "2025-11-25")
    message = talk.request(
        "initialize",
        {
            "protocolVersion": "1999-01-01",
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"},
        },
    )

    assert talk.post(message).result["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("version", LEGACY)
def test_a_session_begun_at_one_replica_works_at_the_other(
    replicas: tuple[str, str], version: str
) -> None:
    talk = begun(replicas[0], version)

    assert talk.at(replicas[1]).ask("tools/list").status == 200
    assert talk.at(replicas[1]).ask("ping").result == {}


def test_a_session_ended_at_one_replica_is_unknown_at_the_other(
    replicas: tuple[str, str],
) -> None:
    talk = begun(replicas[0])

    ended = talk.send("DELETE", None, talk.headers())

    assert ended.status == 204
    assert talk.at(replicas[1]).ask("tools/list").status == 404
    assert talk.send("DELETE", None, talk.headers()).status == 404
    assert talk.send("GET", None, talk.headers()).status == 404


def test_a_session_belongs_to_its_principal(url: str) -> None:
    talk = begun(url)

    stolen = talk.ask("tools/list", X_Caller="thief")

    forged = Talk(url, talk.version, session="forged").ask("tools/list")
    assert stolen.status == forged.status == 404
    assert stolen.json["error"] == forged.json["error"]


def test_a_session_expires() -> None:
    app = FixtureApp(settings=Settings(_env_file=None, session_ttl_seconds=1e-6))
    with serving(app.create()) as (base_url, _):
        talk = begun(f"{base_url}/mcp")

        assert talk.ask("ping").status == 404


def test_a_message_without_a_session_is_refused(url: str) -> None:
    talk = Talk(url, "2025-11-25")

    assert talk.ask("tools/list").status == 400
    assert talk.send("GET", None, talk.headers()).status == 400
    assert talk.send("DELETE", None, talk.headers()).status == 400


def test_batches_answer_each_message_by_itself(url: str) -> None:
    talk = begun(url, "2025-03-26")
    ping, unknown = talk.request("ping"), talk.request("tools/lust")
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    response = talk.post([ping, unknown, note, 7])

    answers = {answer["id"]: answer for answer in response.json}
    assert answers[ping["id"]]["result"] == {}
    assert answers[unknown["id"]]["error"]["code"] == -32601
    assert answers[None]["error"]["code"] == -32600
    assert talk.post([note]).status == 202


def asked_and_answered(
    talk: Talk, tool: str, answer_at: str, reply: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Call, post the reply to what is asked at `answer_at`; the question and the result."""
    message = talk.request("tools/call", {"name": tool, "arguments": {}})
    with talk.stream(message) as stream:
        messages = stream.messages()
        question = next(messages)
        answer = {"jsonrpc": "2.0", "id": question["id"], **reply}
        assert talk.at(answer_at).post(answer).status == 202
        return question, next(messages)


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_a_question_asked_by_one_replica_is_answered_through_the_other(
    replicas: tuple[str, str], version: str
) -> None:
    talk = begun(replicas[0], version, capabilities={"elicitation": {}})
    reply = {"result": {"action": "accept", "content": {"name": "Asha"}}}

    question, response = asked_and_answered(
        talk, "test_input_required_result_elicitation", replicas[1], reply
    )

    assert question["method"] == "elicitation/create"
    assert ("mode" in question["params"]) == (version == "2025-11-25")
    assert response["result"]["content"][0]["text"] == "Hello, Asha!"


def test_an_answer_with_an_error_fails_the_call(url: str) -> None:
    talk = begun(url, capabilities={"sampling": {}})
    reply = {"error": {"code": -1, "message": "no"}}

    _, response = asked_and_answered(talk, "test_sampling", url, reply)

    assert response["error"]["code"] == -32602


def test_an_answer_of_another_session_is_not_taken(url: str) -> None:
    talk = begun(url, capabilities={"elicitation": {}})
    other = begun(url)
    message = talk.request("tools/call", {"name": "test_elicitation", "arguments": {}})
    with talk.stream(message) as stream:
        messages = stream.messages()
        question = next(messages)
        reply = {"jsonrpc": "2.0", "id": question["id"]}
        declined = {"result": {"action": "decline"}}
        accepted = {"result": {"action": "accept", "content": {"response": "mine"}}}
        other.post(reply | accepted)
        talk.post(reply | declined)
        result = next(messages)["result"]

    assert "action=decline" in result["content"][0]["text"]


def test_a_capability_that_was_not_declared_is_never_used(url: str) -> None:
    response = begun(url).call("test_elicitation")

    assert response.code == -32021
