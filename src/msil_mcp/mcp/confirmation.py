"""How a person is asked before a write: the words, the form, and what an answer means."""

import json
from typing import Any, Final, Literal, Protocol

import mcp_types
import msgspec

from msil_mcp.principal import Principal
from msil_mcp.tools.call import Confirmation

QUESTION: Final = "confirm"
"""Key of the question among the requests of a result, and of the field in its form."""

SHOWN_VALUE: Final = 300

Verdict = Literal["agreed", "declined", "dismissed"]

FORM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        QUESTION: {
            "type": "boolean",
            "title": "Do this now",
            "description": "Nothing happens unless you agree.",
        }
    },
    "required": [QUESTION],
}


class ApprovalDecider(Protocol):
    """Records a person's answer; raises Conflict when the approval is not open any more."""

    async def __call__(
        self, approval_id: str, *, principal: Principal, accepted: bool, reason: str
    ) -> object:
        """Decide in the name of the person who sits at the caller's client."""
        ...


class Pending(msgspec.Struct, array_like=True):
    """What a client keeps for us while a person is asked."""

    approval_id: str
    tool_hash: str


def question(confirmation: Confirmation) -> mcp_types.ElicitRequestFormParams:
    """The form a client shows: what will happen, with which values."""
    return mcp_types.ElicitRequestFormParams(message=_message(confirmation), requested_schema=FORM)


def _message(confirmation: Confirmation) -> str:
    lines = [str(confirmation.request), ""]
    for name, value in confirmation.arguments.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{name}: {shown[:SHOWN_VALUE]}{'…' if len(shown) > SHOWN_VALUE else ''}")
    lines += ["", f"This sends {confirmation.method} {confirmation.url}"]
    return "\n".join(lines)


def read_verdict(response: mcp_types.InputResponse | None) -> Verdict | None:
    """What a person said; None when the answer is not one to this question."""
    if not isinstance(response, mcp_types.ElicitResult):
        return None
    if response.action == "cancel":
        return "dismissed"
    if response.action == "decline":
        return "declined"
    agreed = (response.content or {}).get(QUESTION)
    if not isinstance(agreed, bool):
        return None
    return "agreed" if agreed else "declined"


def ask_elsewhere(confirmation: Confirmation) -> str:
    """For a client that cannot ask: where a person can agree."""
    return (
        f"{confirmation.tool} needs the agreement of a person, and this client cannot ask for it. "
        f"Nothing was done yet. Ask the person to open {confirmation.page}, check the call and "
        "approve it. After that, repeat exactly the same call."
    )


DECLINED: Final = (
    "The person declined this call, so nothing was done. Do not repeat it unless they ask you to."
)
DISMISSED: Final = (
    "The person closed the question without an answer, so nothing was done. "
    "Ask them what they want before you repeat the call."
)
