"""Which documents a text is about: Okapi BM25 over their words, all in memory."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

SATURATION: Final = 1.2
LENGTH_WEIGHT: Final = 0.75
_WORD: Final = re.compile(r"[a-z0-9\u0900-\u097f]+")
_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def words_of(text: str) -> list[str]:
    """Folded words; snake_case and camelCase names fall apart, and a plural's s is dropped."""
    spaced = _BOUNDARY.sub(" ", text).casefold()
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") else word
        for word in _WORD.findall(spaced)
    ]


class Relevance:
    """An index of named documents."""

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        self._postings: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._lengths: dict[str, int] = {}
        for name, text in documents:
            words = words_of(text)
            self._lengths[name] = len(words)
            for word, count in Counter(words).items():
                self._postings[word].append((name, count))
        self._average = sum(self._lengths.values()) / max(1, len(self._lengths)) or 1.0

    def rank(self, text: str) -> Sequence[str]:
        """Every document, the nearest first; equals in the order of their names."""
        scores: dict[str, float] = dict.fromkeys(self._lengths, 0.0)
        total = len(self._lengths)
        for word in set(words_of(text)):
            found = self._postings.get(word, ())
            rarity = math.log(1 + (total - len(found) + 0.5) / (len(found) + 0.5))
            for name, count in found:
                length = self._lengths[name] / self._average
                weight = count + SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length)
                scores[name] += rarity * count * (SATURATION + 1) / weight
        return sorted(scores, key=lambda name: (-scores[name], name))
