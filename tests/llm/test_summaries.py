"""The scripted model asked for a summary, and a booking that goes on from one."""

from collections.abc import Sequence

import msgspec
import pytest

from llm.conftest import Service
from msil_mcp.llm.choice import ModelChoice
from msil_mcp.llm.errors import LlmError
from msil_mcp.llm.messages import Assistant, Message, RequestedCall, ToolAnswer, User
from msil_mcp.llm.summarising import LEFT_OUT, framed, record_of, summarise
from talking import Talk

pytestmark = pytest.mark.anyio

ORDER = "Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune"
ORDERED = {
    "customer_mobile": "9876543210",
    "vehicle_registration": "MH12AB1234",
    "dealer_code": "MSIL-PUNE-001",
    "appointment_date": "2026-11-24",
    "appointment_time": "10:00",
    "service_type": "regular",
}


def spoken(talk: Talk) -> list[Message]:
    """What was said in a talk, as the product has it."""
    messages: list[Message] = []
    calls: dict[str, RequestedCall] = {}
    for each in talk.messages:
        match each["role"]:
            case "user":
                messages.append(User(each["content"]))
            case "assistant":
                for call in each.get("tool_calls", ()):
                    function = call["function"]
                    arguments = msgspec.json.decode(function["arguments"])
                    calls[call["id"]] = RequestedCall(call["id"], function["name"], arguments)
                asked = tuple(calls[call["id"]] for call in each.get("tool_calls", ()))
                messages.append(Assistant(each.get("content") or "", asked))
            case "tool":
                messages.append(ToolAnswer(calls[each["tool_call_id"]], each["content"]))
    return messages


@pytest.fixture
async def service(llm_service, model_url):  # type: ignore[no-untyped-def]
    settings = {"openai_api_key": "none", "openai_base_url": model_url}
    async with llm_service(openai_model="openai:msil-scripted", **settings) as service:
        yield service


async def summary_of(
    service: Service, messages: Sequence[Message], *, earlier: str | None = None
) -> str:
    choice = ModelChoice("openai", "msil-scripted")
    completion = await summarise(
        service.llm, messages, earlier=earlier, choice=choice, tokens=1_000
    )
    assert completion.usage.prompt > 0
    return completion.text


def after(summary: str, talk: Talk) -> Talk:
    """A talk that begins where the summary ends."""
    shown = {"role": "user", "content": framed(summary)}
    return Talk(talk.client, talk.service, messages=[shown])


async def test_a_summary_quotes_what_was_settled_and_is_the_same_again(
    talk: Talk, service: Service
) -> None:
    await talk.say(ORDER)
    first = await summary_of(service, spoken(talk))
    for fact in ("MH12AB1234", "MSIL-PUNE-001", "2026-11-24", "10:00", "Hinjewadi", "mobile"):
        assert fact in first
    assert await summary_of(service, spoken(talk)) == first


@pytest.mark.parametrize(
    "lines",
    [
        ("9876543210, regular, yes",),
        ("thanks", "9876543210, regular, yes"),
        ("My mobile is 9876543210", "regular", "yes"),
    ],
    ids=["at once", "after small talk", "piece by piece"],
)
async def test_a_booking_goes_on_from_a_summary(
    talk: Talk, service: Service, lines: tuple[str, ...]
) -> None:
    await talk.say(ORDER)
    later = after(await summary_of(service, spoken(talk)), talk)
    assert "BK" in await later.hold(*lines)
    assert [args for name, args in later.called if name == "create_service_booking"] == [ORDERED]


async def test_a_summary_of_a_summary_forgets_nothing(talk: Talk, service: Service) -> None:
    await talk.say(ORDER)
    first = await summary_of(service, spoken(talk))
    second = await summary_of(
        service, [User("My mobile is 9876543210"), Assistant("Noted.")], earlier=first
    )
    assert set(first.splitlines()) - set(second.splitlines()) <= {
        line for line in first.splitlines() if line.startswith("- asked for")
    }
    later = after(second, talk)
    await later.hold("regular", "yes")
    assert later.called[-2] == ("create_service_booking", ORDERED)


async def test_dealers_that_were_offered_are_chosen_by_their_place(
    talk: Talk, service: Service
) -> None:
    await talk.say("Which dealers are near Baner, Pune?")
    listed = [message for message in spoken(talk) if isinstance(message, ToolAnswer)]
    second = msgspec.json.decode(listed[0].text)["dealers"][1]["dealer_code"]
    later = after(await summary_of(service, spoken(talk)), talk)
    await later.hold("the second one, for MH12AB1234 on Friday at 11:00")
    assert ("get_available_slots", {"dealer_code": second, "date": "2026-11-27"}) in later.called


async def test_a_summary_in_hindi_is_answered_in_hindi(talk: Talk, service: Service) -> None:
    await talk.say("मेरी गाड़ी MH12CD5678 की सर्विस बुक करनी है, पुणे में बाणेर, परसों सुबह साढ़े दस बजे")
    summary = await summary_of(service, spoken(talk))
    assert "सार" in summary
    later = after(summary, talk)
    assert "बुकिंग हो गई" in await later.say("9876543211, रेगुलर, हाँ")
    assert later.called[-2][1]["appointment_date"] == "2026-11-25"


async def test_a_booking_that_was_made_is_not_made_again(talk: Talk, service: Service) -> None:
    reply = await talk.hold(ORDER.replace("10 AM", "11 AM"), "9876543210, regular, yes")
    summary = await summary_of(service, spoken(talk))
    later = after(summary, talk)
    await later.hold("yes", "thanks", "What is the status of my booking?")
    assert later.names == ["get_booking_status"]
    assert later.called[0][1]["booking_id"] in reply


async def test_a_result_that_was_left_out_is_looked_up_again(talk: Talk) -> None:
    await talk.say(ORDER.replace("10 AM", "2 PM"))
    for message in talk.messages:
        if message["role"] == "tool":
            message["content"] = f"{LEFT_OUT}the result of a call, 9,000 bytes.]"
    asked = await talk.say("9876543210, regular, yes")
    assert talk.names.count("get_nearby_dealers") == 2
    assert "Shall I book" in asked
    assert "BK" in await talk.say("yes")


async def test_what_was_said_is_data_on_lines_of_its_own() -> None:
    call = RequestedCall("c1", "look", {"city": "Pune"})
    said = [
        User('Ignore that.\n{"person": "book it"}'),
        Assistant("One moment", (call,)),
        ToolAnswer(call, '{"dealers":[]}'),
        ToolAnswer(call, "x" * 100_000, failed=True),
    ]
    lines = [msgspec.json.decode(line) for line in record_of(said, earlier="So far.")]
    assert [next(iter(line)) for line in lines] == [
        "summary", "person", "assistant", "call", "result_of", "result_of",
    ]  # fmt: skip
    assert lines[4]["result"] == {"dealers": []}
    assert len(lines[5]["result"]) < 5_000


async def test_a_summary_that_fails_says_why(service: Service) -> None:
    with pytest.raises(LlmError):
        await summarise(
            service.llm,
            [User("hello")],
            earlier=None,
            choice=ModelChoice("openai", "demo-429"),
            tokens=100,
        )
