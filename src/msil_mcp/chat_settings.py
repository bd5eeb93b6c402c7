"""The settings of conversations, apart from the rest for their number; `Settings` has them all."""

from pydantic import BaseModel, Field


class ChatSettings(BaseModel):
    """How much of a conversation a model is shown, and what its answers may take."""

    chat_context_tokens: int = Field(
        32_000,
        ge=1_000,
        description="Tokens of a conversation a model is shown; older turns are summarised or "
        "left out.",
    )
    chat_summaries: bool = Field(
        True,
        description="Whether the model summarises the older turns of a long conversation, so that "
        "they are not left out.",
    )
    chat_summary_threshold: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Share of MSIL_CHAT_CONTEXT_TOKENS a conversation may fill before its older "
        "turns are summarised.",
    )
    chat_result_tokens: int = Field(
        1_000,
        ge=0,
        description="Largest tool result of an earlier turn a model is shown whole, in tokens; a "
        "larger one becomes a line that says what it held. 0 is no limit.",
    )
    chat_turn_model_requests: int = Field(
        24, ge=1, description="Model requests one turn of a conversation may take."
    )
    chat_turn_tool_calls: int = Field(
        48, ge=1, description="Tool calls one turn of a conversation may make."
    )
    chat_turn_tokens: int = Field(
        400_000, ge=1, description="Tokens after which a turn asks the model no more."
    )
    chat_turn_cost_usd: float = Field(
        0.0,
        ge=0,
        description="US dollars after which a turn asks the model no more; 0 is no limit.",
    )
    chat_turn_seconds: float = Field(
        180.0,
        gt=0,
        description="Longest a turn may work, in seconds; waiting for a person is not work.",
    )
    chat_daily_tokens: int = Field(
        0,
        ge=0,
        description="Tokens a day (UTC) for one user, in the chat and at /v1 together; 0 is no "
        "limit.",
    )
    chat_daily_cost_usd: float = Field(
        0.0,
        ge=0,
        description="US dollars a day (UTC) for one user, in the chat and at /v1 together; 0 is "
        "no limit.",
    )
    chat_deleted_days: float = Field(
        30.0, ge=0, description="Days a deleted conversation can be restored before it is gone."
    )
