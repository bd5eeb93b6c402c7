"""The scripted model itself: messages in, one reply out, the same for the same messages."""

from datetime import date

from msil_mcp.llm.scripted.answering import Speaker
from msil_mcp.llm.scripted.language import conversation_language
from msil_mcp.llm.scripted.planning import Invoke, next_step
from msil_mcp.llm.scripted.reading import read_conversation
from msil_mcp.llm.scripted.summary import record_in, summary_of
from msil_mcp.llm.scripted.wire import ChatRequest, PlannedCall, Reply


def reply_to(request: ChatRequest, *, today: date) -> Reply:
    """Answer the last message; `today` is the day in India."""
    messages = request.messages
    record = record_in(messages)
    if record is not None:
        return Reply(text=summary_of(record, today=today))
    state = read_conversation(messages, offered=request.offered, today=today)
    step = next_step(state)
    if isinstance(step, Invoke):
        calls = step.calls if request.parallel_tool_calls is not False else step.calls[:1]
        return Reply(calls=tuple(PlannedCall(state.tools[tool], args) for tool, args in calls))
    language = conversation_language(
        [message.text for message in messages if message.role == "user"],
        system="\n".join(m.text for m in messages if m.role in ("system", "developer")),
    )
    return Reply(text=Speaker(state, language=language).say(step))
