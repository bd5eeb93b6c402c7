"""Which model, of which provider: by one string, and for whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args

from msil_mcp.llm.errors import ModelNotAllowed
from msil_mcp.settings import Settings

Provider = Literal["openai", "azure", "anthropic", "bedrock", "ollama", "vllm", "scripted"]
PROVIDERS: Final[Sequence[Provider]] = get_args(Provider)
SCRIPTED_MODEL: Final = "msil-scripted"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A provider's model. `name` is the label of metrics and what the provider calls it."""

    provider: Provider
    name: str

    @property
    def is_scripted(self) -> bool:
        """Whether no language model answers, but the product's own script."""
        return self.provider == "scripted"

    def __str__(self) -> str:
        return self.name if parse_model(self.name) == self else f"{self.provider}:{self.name}"


def parse_model(text: str) -> ModelChoice:
    """`provider:name`, or the name alone for OpenAI and what is compatible with it."""
    prefix, colon, name = text.strip().partition(":")
    if text.strip() in ("scripted", SCRIPTED_MODEL):
        return ModelChoice("scripted", SCRIPTED_MODEL)
    for provider in PROVIDERS:
        if colon and prefix == provider and name:
            return ModelChoice(provider, name)
    return ModelChoice("openai", text.strip())


class Models:
    """The models of a deployment: the default, what stands in for it, and who may choose which."""

    def __init__(self, settings: Settings) -> None:
        key = settings.openai_api_key
        self._has_key = key is not None and key.get_secret_value() != ""
        self._by_role: Mapping[str, Sequence[str]] = settings.models_by_role
        self.default = self._effective(parse_model(settings.openai_model))
        fallbacks = (self._effective(parse_model(text)) for text in settings.model_fallbacks)
        self.fallbacks = tuple(choice for choice in fallbacks if choice != self.default)

    def _effective(self, choice: ModelChoice) -> ModelChoice:
        """Without a key for OpenAI, the scripted model speaks instead."""
        if choice.provider == "openai" and not self._has_key:
            return ModelChoice("scripted", SCRIPTED_MODEL)
        return choice

    @property
    def needs_script(self) -> bool:
        """Whether the scripted model may be asked at all."""
        listed = (parse_model(name) for names in self._by_role.values() for name in names)
        return any(choice.is_scripted for choice in (self.default, *self.fallbacks, *listed))

    def label(self, choice: ModelChoice) -> str:
        """The model in metrics; what a pattern let through is `other`, so that labels stay few."""
        listed = (parse_model(name) for names in self._by_role.values() for name in names)
        return choice.name if choice in {self.default, *self.fallbacks, *listed} else "other"

    def choose(self, requested: str | None, *, roles: Iterable[str]) -> ModelChoice:
        """The model to use.

        Raises:
            ModelNotAllowed: None of the roles includes the one asked for.
        """
        if not requested:
            return self.default
        choice = self._effective(parse_model(requested))
        if choice == self.default:
            return choice
        patterns = self._patterns(roles)
        if any(fnmatchcase(name, pattern) for name in _names(choice) for pattern in patterns):
            return choice
        raise ModelNotAllowed(model=requested, allowed=(str(self.default), *patterns))

    def offered(self, *, roles: Iterable[str]) -> tuple[str, ...]:
        """Names a caller may ask for, the default first; patterns cannot be listed."""
        plain = (name for name in self._patterns(roles) if not set(name) & set("*?["))
        effective = (str(self._effective(parse_model(name))) for name in plain)
        return tuple(dict.fromkeys((str(self.default), *effective)))

    def _patterns(self, roles: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for role in roles for name in self._by_role.get(role, ())))


def _names(choice: ModelChoice) -> tuple[str, str]:
    return str(choice), f"{choice.provider}:{choice.name}"
