"""The booking conversation, in both languages and in every order, over HTTP with real results."""

import re

import pytest

from talking import Talk, tool

pytestmark = pytest.mark.anyio

BOOKED = ["create_service_booking", "get_booking_status"]
LOOKED_UP = ["resolve_vehicle", "get_nearby_dealers", "get_available_slots"]


def booking_id(reply: str) -> str:
    found = re.search(r"BK\d{6}[A-Z0-9]{4}", reply)
    assert found, reply
    return found[0]


async def test_the_whole_journey_ends_in_a_row(talk: Talk) -> None:
    asked = await talk.say("Book a service for MH12AB1234 tomorrow at 10 AM near Hinjewadi, Pune")
    assert talk.names == LOOKED_UP
    for said in ("Swift ZXI+", "MSIL Service Hinjewadi", "10:00", "24 November 2026"):
        assert said in asked
    for wanted in ("mobile", "service type", "yes"):
        assert wanted in asked
    reply = await talk.say("9876543210, regular, yes")
    assert talk.names[3:] == BOOKED
    assert talk.called[3][1] == {
        "customer_mobile": "9876543210",
        "vehicle_registration": "MH12AB1234",
        "dealer_code": "MSIL-PUNE-001",
        "appointment_date": "2026-11-24",
        "appointment_time": "10:00",
        "service_type": "regular",
    }
    row = await talk.service.run("get_booking_status", {"booking_id": booking_id(reply)})
    assert '"CONFIRMED"' in row


async def test_the_whole_journey_in_hindi(talk: Talk) -> None:
    asked = await talk.say("मेरी गाड़ी MH12CD5678 की सर्विस बुक करनी है, पुणे में बाणेर, परसों सुबह साढ़े दस बजे")
    assert talk.names == LOOKED_UP
    assert "Baleno" in asked
    assert "मोबाइल" in asked
    reply = await talk.say("9876543211, रेगुलर, हाँ")
    assert "बुकिंग हो गई" in reply
    row = await talk.service.run("get_booking_status", {"booking_id": booking_id(reply)})
    assert '"appointment_date":"2026-11-25"' in row
    assert '"appointment_time":"10:30"' in row


async def test_hindi_in_latin_letters_is_answered_in_hindi(talk: Talk) -> None:
    reply = await talk.hold(
        "mujhe gaadi ki service karani hai",
        "MH14EF9012, kal dopahar 2 baje",
        "Kharadi ke paas",
        "9876543210 express haan",
    )
    assert "बुकिंग हो गई" in reply
    assert talk.called[-2][1]["appointment_time"] == "14:00"


ORDERS = {
    "place first": ["I need an appointment", "Wakad", "MH14EF9012", "Friday", "11:30"],
    "time first": ["Book me in at 11:30", "MH14EF9012", "on friday", "in Wakad"],
    "mobile first": ["My mobile is +91 98765 43210, book a service", "Wakad, Friday 11.30 am",
                     "MH14EF9012"],
    "plate only": ["MH14EF9012", "27/11 at 11:30", "Wakad"],
    "Hindi": ["अपॉइंटमेंट चाहिए", "शुक्रवार को 11:30 बजे", "वाकड", "MH14EF9012"],
}  # fmt: skip


@pytest.mark.parametrize("lines", ORDERS.values(), ids=ORDERS)
async def test_pieces_come_in_any_order(talk: Talk, lines: list[str]) -> None:
    await talk.hold(*lines)
    reply = await talk.say("9876543210 regular")
    assert "create_service_booking" not in talk.names
    assert "MH14EF9012" in reply
    await talk.say("haan" if lines[0] == ORDERS["Hindi"][0] else "yes")
    [order] = [arguments for name, arguments in talk.called if name == "create_service_booking"]
    assert order["dealer_code"] == "MSIL-PUNE-004"
    assert (order["appointment_date"], order["appointment_time"]) == ("2026-11-27", "11:30")


async def test_nothing_is_booked_before_a_yes(talk: Talk) -> None:
    await talk.hold(
        "Service for MH12AB1234 on Thursday at 9 am near Baner, Pune", "9876543210 regular"
    )
    assert "create_service_booking" not in talk.names


@pytest.mark.parametrize(
    ("answer", "nothing"), [("no", "nothing was booked"), ("नहीं", "कुछ भी बुक नहीं")]
)
async def test_a_no_books_nothing_and_asks_what_to_change(
    talk: Talk, answer: str, nothing: str
) -> None:
    reply = await talk.hold(
        "Service for MH12AB1234 on Thursday at 9 am near Baner, Pune", "9876543210 regular", answer
    )
    assert nothing in reply
    assert "create_service_booking" not in talk.names
    again = await talk.say("make it 9:30")
    assert "9:30" in again
    await talk.say("yes")
    assert talk.called[-2][1]["appointment_time"] == "09:30"


async def test_a_change_after_the_yes_is_asked_about_again(talk: Talk) -> None:
    reply = await talk.hold(
        "Service for MH12AB1234 on Thursday at 3 pm near Baner, Pune",
        "9876543210 regular",
        "yes but on Friday",
    )
    assert "create_service_booking" not in talk.names
    assert "27 November" in reply


async def test_an_unknown_vehicle_is_said_in_the_services_words(talk: Talk) -> None:
    reply = await talk.say("Book a service for MH12AB1235 tomorrow at 11 near Hinjewadi, Pune")
    assert "No vehicle is registered as MH12AB1235" in reply
    asked = await talk.say("sorry, MH12AB1234")
    assert "Swift" in asked
    assert "11:00" in asked


async def test_a_wrong_owner_is_asked_for_another_mobile_number(talk: Talk) -> None:
    reply = await talk.hold(
        "Book a service for MH12AB1234 tomorrow at 11:30 near Hinjewadi, Pune",
        "9876543211, regular, yes",
    )
    assert "is not registered to the customer" in reply
    assert "mobile number" in reply
    assert "Booked" in await talk.say("9876543210, yes")


async def test_a_closed_day_is_quoted_and_another_taken(talk: Talk) -> None:
    reply = await talk.say("Service for MH12AB1234 on Sunday at 10 near Hinjewadi, Pune")
    assert "a Sunday" in reply
    assert "free" in await talk.say("Monday then")


async def test_an_unknown_area_falls_back_to_the_citys_centre(talk: Talk) -> None:
    reply = await talk.say("Which dealers are near Foobar, Delhi?")
    assert talk.names == ["get_nearby_dealers", "get_nearby_dealers"]
    assert "MSIL-DEL-001" in reply


def full_day(*free: str) -> str:
    slots = ",".join(
        f'{{"slot_id":"s","time":"{time}","available":{str(time in free).lower()}}}'
        for time in ("09:00", "10:00", "14:00", "16:30")
    )
    return f'{{"slots":[{slots}]}}'


async def test_a_taken_slot_is_answered_with_free_ones_of_that_day(talk: Talk) -> None:
    talk.answers["get_available_slots"] = full_day("09:00", "16:30")
    reply = await talk.say("Service for MH12AB1234 tomorrow at 10 near Hinjewadi, Pune")
    assert "not available" in reply
    assert "09:00 or 16:30" in reply
    assert "14:00" not in reply
    assert "mobile" in await talk.say("4:30 pm")


async def test_a_full_day_is_answered_with_other_dealers(talk: Talk) -> None:
    talk.answers["get_available_slots"] = full_day()
    reply = await talk.say("MH12AB1234 ki service kal 10 baje Hinjewadi, Pune mein")
    assert "कोई खाली स्लॉट नहीं" in reply
    assert "MSIL-PUNE-004" in reply


async def test_a_slot_lost_meanwhile_is_looked_up_again(talk: Talk) -> None:
    talk.answers["create_service_booking"] = (
        "The service refused the call (409): Slot is full: The slot at 10:00 on 2026-11-28 is full."
    )
    reply = await talk.hold(
        "Service for MH12AB1234 on Saturday at 10 near Hinjewadi, Pune", "9876543210 regular yes"
    )
    assert talk.names[-2:] == ["create_service_booking", "get_available_slots"]
    assert "Slot is full" in reply
    assert "10:30" in reply


async def test_a_denied_approval_is_not_tried_again_by_itself(talk: Talk) -> None:
    talk.answers["create_service_booking"] = "The call was denied: wrong dealer."
    reply = await talk.hold(
        "Service for MH12AB1234 on Saturday at 11 near Hinjewadi, Pune", "9876543210 regular yes"
    )
    assert "not approved" in reply
    assert "wrong dealer" in reply
    assert talk.names.count("create_service_booking") == 1


async def test_a_booking_that_may_have_been_made_is_not_made_again(talk: Talk) -> None:
    talk.answers["create_service_booking"] = (
        "The request was sent to the remote service, but no complete answer came back, so it is "
        "not known whether it took effect. Do not simply repeat it: read the present state first."
    )
    reply = await talk.hold(
        "Service for MH12AB1234 on Saturday at 9 near Hinjewadi, Pune", "9876543210 regular yes"
    )
    assert "not certain" in reply
    await talk.say("yes, try again")
    assert talk.names.count("create_service_booking") == 1


async def test_a_status_question_is_answered_from_the_service(talk: Talk) -> None:
    booked = await talk.hold(
        "Service for KA01MN3456 on Friday at 9 near Whitefield, Bangalore", "9876543212 express yes"
    )
    other = Talk(talk.client, talk.service)
    reply = await other.say(f"What is the status of {booking_id(booked)}?")
    assert other.names == ["get_booking_status"]
    assert "confirmed" in reply
    assert "MSIL Service Whitefield" in reply
    assert "पक्की" in await other.say(f"{booking_id(booked)} की स्थिति क्या है?")


async def test_an_unknown_booking_is_said_in_the_services_words(talk: Talk) -> None:
    assert "There is no booking BK260302A7X9" in await talk.say("status of BK260302A7X9")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", "Hello"),
        ("नमस्ते", "नमस्ते"),
        ("how are you?", "I am well"),
        ("what can you do?", "book a service appointment"),
        ("thanks", "You are welcome"),
        ("dhanyavaad", "आपका स्वागत है"),
        ("bye", "Goodbye"),
    ],
)
async def test_small_talk_calls_nothing(talk: Talk, text: str, answer: str) -> None:
    assert answer in await talk.say(text)
    assert talk.names == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("What's the weather like?", "no tool for that"),
        ("Order me a pizza", "no tool for that"),
        ("cancel my booking BK260302A7X9", "no tool to change or cancel"),
        ("आज मौसम कैसा है?", "कोई टूल नहीं"),
    ],
)
async def test_what_there_is_no_tool_for_is_refused(talk: Talk, text: str, answer: str) -> None:
    assert answer in await talk.say(text)
    assert talk.names == []


async def test_small_talk_in_between_loses_nothing(talk: Talk) -> None:
    reply = await talk.hold("Service for MH12AB1234 on Thursday at 4 pm near Baner, Pune", "thanks")
    assert "You are welcome" in reply
    assert "mobile" in reply
    assert "Booked" in await talk.say("9876543210 express yes")


async def test_an_offer_after_a_question_can_be_taken(talk: Talk) -> None:
    reply = await talk.hold("Which dealers are near Baner, Pune?", "yes please")
    assert "registration number" in reply
    assert "city" not in reply
    reply = await talk.say("MH12AB1234, Saturday at 14:00")
    assert talk.names[-2:] == ["resolve_vehicle", "get_available_slots"]
    assert "14:00" in reply


async def test_a_customer_is_found_by_mobile(talk: Talk) -> None:
    assert "Aarav Kulkarni" in await talk.say("find my account details, 98765-43210")
    assert talk.names == ["resolve_customer"]


async def test_without_the_booking_tool_it_helps_and_says_so(talk: Talk) -> None:
    talk.tools = [tool("x__resolve_vehicle"), tool("x__get_nearby_dealers"),
                  tool("x__get_available_slots")]  # fmt: skip
    reply = await talk.say("Book a service for MH12AB1234 tomorrow at 10 near Hinjewadi, Pune")
    assert talk.names == [f"x__{name}" for name in LOOKED_UP]
    assert "no tool here to book" in reply


async def test_without_any_tool_nothing_is_invented(talk: Talk) -> None:
    talk.tools = []
    reply = await talk.say("Which dealers are near Baner, Pune?")
    assert "MSIL" not in reply
    assert "no tool" in reply


async def test_the_language_of_the_system_prompt_decides_where_the_message_does_not(
    talk: Talk,
) -> None:
    talk.messages.append({"role": "system", "content": "User language: Hindi."})
    assert "बताइए" in await talk.say("MH12AB1234")


async def test_a_second_booking_keeps_the_car_and_asks_for_the_rest(talk: Talk) -> None:
    await talk.hold(
        "Service for MH12AB1234 on Friday at 2 pm near Kharadi, Pune", "9876543210 express yes"
    )
    reply = await talk.say("book another one for next Monday")
    assert "city" in reply
    assert "registration" not in reply


async def test_midnight_does_not_move_an_appointment_that_was_looked_up(
    service_url: str,
) -> None:
    from datetime import timedelta

    from msil_mcp.llm.scripted.reading import read_conversation
    from msil_mcp.llm.scripted.wire import Call, Function, Message
    from talking import MONDAY

    arguments = '{"dealer_code":"MSIL-PUNE-001","date":"2026-11-24"}'
    messages = [
        Message("user", "Service for MH12AB1234 tomorrow at 10 at MSIL-PUNE-001"),
        Message("assistant", None, [Call("1", Function("get_available_slots", arguments))]),
        Message("tool", full_day("10:00"), tool_call_id="1"),
    ]
    tuesday = (MONDAY + timedelta(days=1)).date()
    state = read_conversation(messages, offered=["get_available_slots"], today=tuesday)
    assert state.draft.day is not None
    assert state.draft.day.isoformat() == "2026-11-24"


async def test_a_summary_holds_what_was_settled(talk: Talk) -> None:
    await talk.say("Service for MH12AB1234 tomorrow at 4 pm near Hinjewadi, Pune")
    reply = await talk.say("Summarise the conversation so far")
    for fact in ("MH12AB1234", "Hinjewadi, Pune", "2026-11-24", "16:00", "MSIL-PUNE-001"):
        assert fact in reply
