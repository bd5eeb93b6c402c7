"""What was expected of a conversation and did not happen, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from msil_mcp.chat.evals.cases import Case, Facts, Turn
from msil_mcp.llm.messages import ToolAnswer


def turn_faults(turn: Turn, *, made: Sequence[ToolAnswer], said: str) -> Iterator[str]:
    """Where the calls or the words of a turn differ from what was expected."""
    left = [(each.call.tool, each.call.arguments) for each in made]
    for tool, arguments in turn.expected:
        fitting = [call for call in left if call[0] == tool and covers(call[1], arguments)]
        if fitting:
            left.remove(fitting[0])
        else:
            yield _missing(tool, arguments, made)
    if turn.only and left:
        yield f"also called {', '.join(_shown(*call) for call in left)}"
    for name in turn.never:
        if any(each.call.tool == name for each in made):
            yield f"called {name}, which it should not"
    for words in turn.answer:
        if words.casefold() not in said.casefold():
            yield f"did not say {words!r}, but {_shortened(said)!r}"


def booking_faults(case: Case, *, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where the rows that were left differ from those expected."""
    left = list(found)
    for expected in case.bookings:
        fitting = [row for row in left if covers(row, expected)]
        if fitting:
            left.remove(fitting[0])
        else:
            yield f"no booking has {_json(expected)}; there are {_json(left)}"
    if len(found) > len(case.bookings):
        extra = len(found) - len(case.bookings)
        yield f"{extra} booking{'s' if extra > 1 else ''} more than expected: {_json(left)}"


def covers(actual: Mapping[str, Any], expected: Facts) -> bool:
    """Whether everything expected is there, as text."""
    return all(name in actual and str(actual[name]) == value for name, value in expected.items())


def _missing(tool: str, arguments: Facts, made: Sequence[ToolAnswer]) -> str:
    others = [_shown(tool, each.call.arguments) for each in made if each.call.tool == tool]
    wanted = _shown(tool, arguments)
    if others:
        return f"did not call {wanted}, but {' and '.join(others)}"
    names = ", ".join(each.call.tool for each in made) or "nothing"
    return f"did not call {wanted}; called {names}"


def _shown(tool: str, arguments: Mapping[str, Any]) -> str:
    return f"{tool}({', '.join(f'{name}={value}' for name, value in arguments.items())})"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"
