"""Importing what takes long: at once where somebody waits for it, else leaving time to others."""

import importlib
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from threading import Event, get_ident
from typing import Final

PAUSE_SECONDS: Final = 0.002
"""Between two modules; what else the process does runs meanwhile."""


class Loading:
    """Imports on threads; who is in a hurry makes the others hurry, too."""

    def __init__(self) -> None:
        self._hurry = Event()
        self._loaded: set[str] = set()

    def has(self, names: Iterable[str]) -> bool:
        """Whether all of them are there."""
        return self._loaded.issuperset(names)

    def hurry(self) -> None:
        """From now on nobody pauses."""
        self._hurry.set()

    def load(self, names: Iterable[str]) -> None:
        """Import modules; blocks, and longer unless there is a hurry."""
        pauses = _Pauses(self._hurry)
        sys.meta_path.insert(0, pauses)
        try:
            for name in names:
                importlib.import_module(name)
                self._loaded.add(name)
        finally:
            sys.meta_path.remove(pauses)


class _Pauses:
    """A finder of modules that finds none, and takes its time on the thread that made it."""

    def __init__(self, hurry: Event) -> None:
        self._hurry = hurry
        self._thread = get_ident()

    def find_spec(self, *_: object) -> ModuleSpec | None:
        """Every import asks here first."""
        if get_ident() == self._thread:
            self._hurry.wait(PAUSE_SECONDS)
        return None
