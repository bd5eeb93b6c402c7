"""Passwords: argon2id in a thread, two at a time, so that sign-ins cannot starve the rest."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from msil_mcp.errors import TooManyRequests, Unprocessable

MIN_CHARACTERS = 12
MAX_CHARACTERS = 256
AT_ONCE = 2
MEMORY_KIB = 19_456
PASSES = 2
MOST_WAITING = 100
"""Sign-ins that may wait for their turn, about two seconds' worth."""

Result = TypeVar("Result")


class WeakPassword(Unprocessable):
    """The password is too short, too long or too uniform to protect an account."""

    slug = "weak_password"

    def __init__(self) -> None:
        super().__init__(least=MIN_CHARACTERS, most=MAX_CHARACTERS)


class SignInsBusy(TooManyRequests):
    """More people, or programs, try to sign in than can be told apart in time."""

    slug = "sign_ins_busy"

    def __init__(self) -> None:
        super().__init__(retry_after=5)


def generate_password() -> str:
    """A random password of 144 bits, in letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(18)


class Passwords:
    """Makes and checks password hashes; one per process, for its cap on concurrent hashing."""

    def __init__(self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None
        self._signing_in = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Held while somebody signs in; SignInsBusy when nobody else may wait.

        Taken before an attempt is charged, so that whoever is sent away has not failed.
        """
        if self._signing_in >= MOST_WAITING:
            raise SignInsBusy
        self._signing_in += 1
        try:
            yield
        finally:
            self._signing_in -= 1

    async def hash(self, password: str) -> str:
        """An encoded argon2id hash, or WeakPassword."""
        length = len(password)
        if not MIN_CHARACTERS <= length <= MAX_CHARACTERS or len(set(password)) < 5:
            raise WeakPassword
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def matches(self, encoded: str | None, password: str) -> bool:
        """Whether the password is the hashed one; takes as long when there is no hash at all."""
        if encoded is None:
            if self._nobody is None:
                self._nobody = await self._in_thread(lambda: self._hasher.hash(generate_password()))
            await self._in_thread(lambda: self._verify(self._nobody or "", password))
            return False
        return await self._in_thread(lambda: self._verify(encoded, password))

    def _verify(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password[: MAX_CHARACTERS + 1])
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        async with self._turns:
            return await asyncio.to_thread(work)
