"""What tokens cost: the deployment's own prices first, then the price list of genai-prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from msil_mcp.llm.choice import ModelChoice, Provider
from msil_mcp.llm.errors import ModelMisconfigured
from msil_mcp.llm.usage import FREE, Cost, TokenUsage
from msil_mcp.locales import Message

MILLION: Final = Decimal(1_000_000)
_FIELDS: Final = frozenset({"input", "output", "cached_input"})
_LISTED_AS: Final[Mapping[Provider, str]] = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "bedrock": "aws",
}


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None

    def cost(self, usage: TokenUsage) -> Cost:
        """The price of so many tokens; cached ones cost the same unless they have a price."""
        cached_input = self.input if self.cached_input is None else self.cached_input
        fresh = usage.prompt - usage.cached
        total = fresh * self.input + usage.cached * cached_input + usage.completion * self.output
        return Cost(total / MILLION)


class PriceList:
    """Prices by model."""

    def __init__(
        self, own: Mapping[str, Mapping[str, Decimal]], *, openai_base_url: str = ""
    ) -> None:
        self._own = {name: _price(name, fields) for name, fields in own.items()}
        self._openai_base_url = openai_base_url

    def cost(self, choice: ModelChoice, usage: TokenUsage) -> Cost:
        """What a request of so many tokens costs; unknown when nobody lists the model."""
        if choice.is_scripted:
            return FREE
        for name in (str(choice), choice.name):
            if price := self._own.get(name):
                return price.cost(usage)
        return self._listed(choice, usage)

    def _listed(self, choice: ModelChoice, usage: TokenUsage) -> Cost:
        provider = _LISTED_AS.get(choice.provider)
        if provider is None:
            return Cost(None)
        # The price list is large and read on first use.
        from genai_prices import Usage, calc_price

        tokens = Usage(
            input_tokens=usage.prompt,
            output_tokens=usage.completion,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_written,
        )
        try:
            if choice.provider == "openai" and self._openai_base_url:
                price = calc_price(tokens, choice.name, provider_api_url=self._openai_base_url)
            else:
                price = calc_price(tokens, choice.name, provider_id=provider)
        except (LookupError, ValueError):
            return Cost(None)
        return Cost(price.total_price)


def _price(name: str, fields: Mapping[str, Decimal]) -> ModelPrice:
    if set(fields) - _FIELDS or not {"input", "output"} <= set(fields) or min(fields.values()) < 0:
        raise ModelMisconfigured(
            model=name,
            remedy=Message("reasons.model.prices"),
        )
    return ModelPrice(fields["input"], fields["output"], fields.get("cached_input"))
