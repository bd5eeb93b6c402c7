"""A conversation in the language of its person: limits, failures, questions, first words."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from chat.conversing import Conversation, Event, by_model, opened, order, said
from databases import Templates, settings_for
from msil_mcp.bus import MemoryBus
from msil_mcp.chat.models import ChatRun
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.reaping import reap
from msil_mcp.chat.runs import hold_run, let_wait
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import utc_now
from msil_mcp.governance.approvals import Approval
from msil_mcp.principal import Principal
from persons import signed_in
from running import Product, product

pytestmark = pytest.mark.anyio
HINDI = {"Accept-Language": "hi-IN,hi;q=0.9,en;q=0.5"}


@pytest.fixture(scope="module")
def strict(templates: Templates, booking_url: str, paced_model: str) -> Iterator[Product]:
    """A product that allows two requests to a model a turn, and one model that refuses its key."""
    changes = by_model(paced_model) | {
        "chat_turn_model_requests": 2,
        "models_by_role": {"user": ["openai:demo-401"]},
    }
    with (
        templates.clone("sqlite") as url,
        product(settings_for(url, **changes), booking_url=booking_url) as running,
    ):
        yield running


def failure(events: list[Event]) -> str:
    [problem] = [e.data for e in events if e.data != "[DONE]" and e.data["type"] == "error"]
    text: str = problem["errorText"]
    return text


async def said_again(talk: Conversation, time: str) -> Any:
    """The first message once more in other words, so that the same work is to be done."""
    first = (await talk.messages())[0]
    return await talk.say(order(time), edit_id=first["id"])


async def test_a_turn_that_hits_a_limit_speaks_its_persons_language(strict: Product) -> None:
    person = await signed_in(strict, locale="hi")
    talk = await opened(person)

    ended = await talk.say(order("11:00"))

    assert (ended["state"], ended["usage"]["limit_hit"]) == ("failed", "model_requests")
    assert "मॉडल से 2 अनुरोधों की सीमा पूरी हो गई" in ended["text"]
    assert "मॉडल से 2 अनुरोधों की सीमा पूरी हो गई" in said(await talk.listen())


async def test_a_change_of_setting_is_heard_in_conversations_there_were(strict: Product) -> None:
    person = await signed_in(strict)
    talk = await opened(person)
    assert "limit of 2 model requests" in (await talk.say(order("11:00")))["text"]

    await person.choose(locale="hi")

    assert "की सीमा पूरी हो गई" in (await said_again(talk, "11:30"))["text"]


async def test_a_language_chosen_for_a_conversation_goes_first(strict: Product) -> None:
    person = await signed_in(strict, locale="hi")
    talk = await opened(person, language="en")
    assert "limit of 2 model requests" in (await talk.say(order("11:00")))["text"]

    changed = await talk.ask("PATCH", "", json={"language": ""})

    assert changed.json["language"] is None
    assert "की सीमा पूरी हो गई" in (await said_again(talk, "11:30"))["text"]


async def test_a_model_that_fails_says_so_in_the_persons_language(strict: Product) -> None:
    talk = await opened(await signed_in(strict, locale="hi"), model="openai:demo-401")

    await talk.begin("Hello")

    assert "के प्रदाता ने API कुंजी स्वीकार नहीं की" in failure(await talk.listen())
    ended = await talk.wait()
    assert (ended["state"], ended["usage"]["error"]) == ("failed", "model_bad_key")
    assert "के प्रदाता" not in str(ended["usage"])


async def test_an_answer_that_ended_is_told_again_in_the_readers_language(strict: Product) -> None:
    talk = await opened(strict, model="openai:demo-401")
    turn = await talk.begin("Hello")
    await talk.wait()

    again = await strict.request("GET", turn["events"], headers=HINDI)

    assert "उत्तर पूरा नहीं हो सका" in again.body.decode()


@pytest.mark.parametrize("first", ["MH12AB1234", "9876543210"])
async def test_first_words_that_show_no_language_are_answered_in_the_persons(
    chatting: Product, first: str
) -> None:
    hindi = await opened(await signed_in(chatting, locale="hi"))
    english = await opened(await signed_in(chatting))

    assert any("\u0900" <= letter <= "\u097f" for letter in (await hindi.say(first))["text"])
    assert (await english.say(first))["text"].isascii()


async def test_what_a_person_writes_decides_the_language_of_the_answer(chatting: Product) -> None:
    talk = await opened(await signed_in(chatting, locale="hi"))

    answer = await talk.say("Hello, what can you do for me?")

    assert not any("\u0900" <= letter <= "\u097f" for letter in answer["text"])


async def test_a_confirmation_is_asked_in_the_language_of_who_reads_it(chatting: Product) -> None:
    person = await signed_in(chatting, locale="hi")
    talk = await opened(person)
    await talk.say(order("15:30"))

    waiting = await talk.say("9876543210, regular, yes")

    [card] = waiting["approvals"]
    assert card["sentence"].endswith(" के लिए।")
    [shown] = [e.data["data"] for e in await listened(talk) if e.data["type"] == "data-approval"]
    assert (shown["sentence"], shown["tool"]) == (card["sentence"], "create_service_booking")
    path = f"/api/approvals/{card['id']}"
    inbox = await chatting.request("GET", path, role="administrator")
    assert inbox.json["sentence"].endswith(f", for {inbox.json['principal_name']}.")
    assert inbox.headers["content-language"] == "en"
    bad = await talk.decide(card, "edit", arguments={"appointment_time": 7})
    assert (bad.json["code"], bad.json["title"]) == ("chat_bad_edit", "आर्ग्युमेंट स्वीकार नहीं हुए")
    assert "आवश्यक है।" in bad.json["detail"]


async def listened(talk: Conversation) -> list[Event]:
    async with talk.following() as events:
        heard = []
        async for event in events:
            heard.append(event)
            if event.data != "[DONE]" and event.data["type"] == "data-approval":
                break
    return heard


async def test_what_was_asked_is_withdrawn_in_words_of_the_conversation(chatting: Product) -> None:
    person = await signed_in(chatting, locale="hi")
    talk = await opened(person)
    await talk.say(order("16:30"))
    [card] = (await talk.say("9876543210, regular, yes"))["approvals"]

    assert (await talk.ask("POST", "/stop")).status == 202

    left = await chatting.request("GET", f"/api/approvals/{card['id']}", role="administrator")
    assert (left.json["state"], left.json["reason"]) == ("declined", "व्यक्ति ने उत्तर रोक दिया।")


async def test_what_nobody_decides_is_withdrawn_in_words_of_its_person(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    _, run = await service.begin_run(asha, chat.id, (TextPart("Book it"),), owner="gone")
    async with service.database.unit_of_work() as session:
        await let_wait(session, await hold_run(session, run.id, owner="gone"))
        session.add(question(asha, run, expired_at=utc_now() - timedelta(minutes=5)))
    bus = MemoryBus()
    await bus.start()

    async for _ in reap(
        service.database,
        bus,
        alive=(),
        language_of=lambda owner: "hi" if owner == asha.id else "en",
    ):
        pass

    await bus.close()
    async with service.database.reading() as session:
        reason = await session.scalar(select(Approval.reason).where(Approval.run_id == run.id))
    assert reason == "समय पर किसी ने निर्णय नहीं लिया।"


def question(principal: Principal, run: ChatRun, *, expired_at: datetime) -> Approval:
    return Approval(
        id=f"ap_{run.id[:30]}",
        principal_id=principal.id,
        principal_name=principal.name,
        tool_name="create_service_booking",
        tool_version_id=1,
        tool_hash="",
        arguments_hash="",
        title="Book a service appointment",
        arguments={},
        method="POST",
        url="http://127.0.0.1/",
        origin="chat",
        session_id=run.session_id,
        run_id=run.id,
        correlation_id="",
        created_at=expired_at,
        expires_at=expired_at,
    )


async def test_a_file_of_a_conversation_has_headings_in_the_readers_language(
    chatting: Product,
) -> None:
    talk = await opened(chatting)
    await talk.say("Hello")

    file = await talk.ask("GET", "/export?format=markdown", headers=HINDI)

    assert "## उपयोगकर्ता" in file.body.decode()
    assert "## सहायक" in file.body.decode()


async def test_clients_of_openais_protocol_are_refused_in_their_language(strict: Product) -> None:
    body = {"model": "openai:demo-401", "messages": [{"role": "user", "content": "Hello"}]}

    refused = await strict.request("POST", "/v1/chat/completions", json=body, headers=HINDI)
    wrong = await strict.request(
        "POST", "/v1/chat/completions", json=body | {"n": 2}, headers=HINDI
    )

    assert refused.headers["content-language"] == "hi"
    assert "के प्रदाता ने API कुंजी स्वीकार नहीं की" in refused.json["error"]["message"]
    assert refused.json["error"]["code"] == "model_bad_key"
    assert wrong.json["error"]["message"] == "हर अनुरोध का एक ही उत्तर बनता है। n न भेजें।"
    assert wrong.json["error"]["param"] == "n"
