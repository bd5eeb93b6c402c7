"""Sentences by key, from one TOML file a language, read when the language is first spoken."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

from typing_extensions import override

Language = Literal["en", "hi"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
ENGLISH: Final[Language] = "en"


@cache
def entries(language: Language) -> Mapping[str, str]:
    """Every sentence of a language, by keys with dots."""
    path = files(__package__).joinpath(f"{language}.toml")
    return dict(_flat(tomllib.loads(path.read_text(encoding="utf-8")), prefix=""))


def _flat(table: Mapping[str, Any], *, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield prefix + name, value
        else:
            yield from _flat(value, prefix=f"{prefix}{name}.")


class Message:
    """A sentence not yet in any language.

    `facts` stand in braces in the catalogue; one that is a Message itself is told in the same
    language, and several Messages in a row make several sentences. Where a sentence depends on a
    number, the fact is called `count` and the catalogue has the forms `one` and `other`. `str` of
    it is English.
    """

    __slots__ = ("facts", "key")

    def __init__(self, key: str, /, **facts: object) -> None:
        self.key = key
        self.facts = facts

    @override
    def __str__(self) -> str:
        return self.told(ENGLISH)

    @override
    def __repr__(self) -> str:
        return f"Message({self.key!r}, {self.facts!r})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.key, self.facts) == (other.key, other.facts)

    @override
    def __hash__(self) -> int:
        return hash((self.key, *self.facts))

    def told(self, language: Language) -> str:
        """The sentence in a language."""
        facts = {name: _told(fact, language) for name, fact in self.facts.items()}
        return _template(self.key, language, facts.get("count")).format_map(facts)


def _told(fact: object, language: Language) -> object:
    if isinstance(fact, Message):
        return fact.told(language)
    if isinstance(fact, tuple):
        return " ".join(str(_told(part, language)) for part in fact)
    return fact


def _template(key: str, language: Language, count: object) -> str:
    known = entries(language)
    if (template := known.get(key)) is not None:
        return template
    form = "one" if str(count) in known["language.one"].split() else "other"
    return known[f"{key}.{form}"]
