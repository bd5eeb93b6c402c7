"""Which model for whom, and what it costs."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from msil_mcp.llm.choice import ModelChoice, Models, parse_model
from msil_mcp.llm.errors import ModelMisconfigured, ModelNotAllowed
from msil_mcp.llm.prices import PriceList
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.settings import Settings

KEY = SecretStr("not-a-real-key")
MILLION = TokenUsage(prompt=1_000_000, completion=1_000_000)


def models(**changes: Any) -> Models:
    return Models(Settings(_env_file=None, **changes))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("gpt-4o-mini", ModelChoice("openai", "gpt-4o-mini")),
        ("openai:gpt-4o", ModelChoice("openai", "gpt-4o")),
        ("azure:my-deployment", ModelChoice("azure", "my-deployment")),
        ("ollama:llama3:8b", ModelChoice("ollama", "llama3:8b")),
        ("ft:gpt-4o:acme", ModelChoice("openai", "ft:gpt-4o:acme")),
        ("bedrock:eu.amazon.nova-pro-v1:0", ModelChoice("bedrock", "eu.amazon.nova-pro-v1:0")),
        ("scripted", ModelChoice("scripted", "msil-scripted")),
        ("openai:msil-scripted", ModelChoice("openai", "msil-scripted")),
        ("scripted:demo-401", ModelChoice("scripted", "demo-401")),
    ],
)
def test_a_string_names_provider_and_model(text: str, choice: ModelChoice) -> None:
    assert parse_model(text) == choice
    assert parse_model(str(choice)) == choice


def test_without_a_key_the_scripted_model_speaks_and_says_so() -> None:
    assert models().default.is_scripted
    assert models(openai_api_key=SecretStr("")).default.is_scripted
    assert not models(openai_api_key=KEY).default.is_scripted
    assert not models(openai_model="ollama:llama3").default.is_scripted


def test_a_role_may_choose_the_models_it_was_given() -> None:
    found = models(
        openai_api_key=KEY,
        models_by_role={"user": ["gpt-4o"], "operator": ["anthropic:*"]},
    )
    assert found.choose(None, roles=["user"]).name == "gpt-4o-mini"
    assert found.choose("gpt-4o-mini", roles=[]).name == "gpt-4o-mini"
    assert found.choose("gpt-4o", roles=["user"]).name == "gpt-4o"
    chosen = found.choose("anthropic:claude-x", roles=["user", "operator"])
    assert chosen == ModelChoice("anthropic", "claude-x")
    assert found.label(chosen) == "other"
    with pytest.raises(ModelNotAllowed, match="You may use: gpt-4o-mini, gpt-4o") as refused:
        found.choose("o9", roles=["user"])
    assert refused.value.status == 403
    assert found.offered(roles=["user", "operator"]) == ("gpt-4o-mini", "gpt-4o")


def test_listed_prices_are_those_of_the_provider() -> None:
    prices = PriceList({})
    cost = prices.cost(parse_model("gpt-4o-mini"), MILLION)
    assert cost.usd == Decimal("0.75")
    some = TokenUsage(prompt=1000, completion=100, cached=800)
    cheaper = prices.cost(parse_model("gpt-4o-mini"), some).usd
    dearer = prices.cost(parse_model("gpt-4o-mini"), TokenUsage(prompt=1000, completion=100)).usd
    assert cheaper is not None
    assert dearer is not None
    assert cheaper < dearer


def test_own_prices_go_first_and_unknown_ones_stay_unknown() -> None:
    own = {"gpt-4o-mini": {"input": Decimal(1), "output": Decimal(2), "cached_input": Decimal(0)}}
    prices = PriceList(own)
    usage = TokenUsage(prompt=1_000_000, completion=500_000, cached=400_000)
    assert prices.cost(parse_model("gpt-4o-mini"), usage).usd == Decimal("1.6")
    assert not prices.cost(parse_model("ollama:llama3"), usage).is_known
    assert not prices.cost(parse_model("no-such-model-at-all"), usage).is_known
    assert prices.cost(parse_model("scripted"), usage).usd == 0


@pytest.mark.parametrize(
    "price", [{"input": 1}, {"input": 1, "output": -1}, {"input": 1, "output": 1, "cached": 1}]
)
def test_a_wrong_price_says_what_it_needs(price: dict[str, Any]) -> None:
    with pytest.raises(ModelMisconfigured, match="MSIL_MODEL_PRICES needs input and output"):
        PriceList({"m": {name: Decimal(value) for name, value in price.items()}})


def test_usage_and_cost_add_up() -> None:
    assert (MILLION + TokenUsage(prompt=1, cached=1)).prompt == 1_000_001
    assert MILLION.total == 2_000_000
    assert (Cost(Decimal(1)) + Cost(Decimal(2))).usd == 3
    assert not (Cost(Decimal(1)) + Cost(None)).is_known
