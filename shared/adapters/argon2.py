"""Passwords, hashed by argon2id (RFC 9106)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from shared.core.access.people import password_bytes
from shared.ports import OverloadedError

T = TypeVar("T")

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
"""With MEMORY_KIB and one lane: what OWASP's cheat sheet names as the least; some tens of milliseconds of a core."""
MAX_WAITING: Final = 64


class Argon2Hasher:
    """PasswordHasher. The library lets go of the interpreter while it computes, so threads are enough."""

    def __init__(self, *, threads: int, passes: int = PASSES, memory_kib: int = MEMORY_KIB) -> None:
        """`threads`: how many passwords are hashed at a time. `passes` and `memory_kib` are less in tests alone."""
        self._hasher = argon2.PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._waiting = 0
        self._nobodys = self._hasher.hash(b"of nobody")

    async def hash(self, password: str) -> str:
        return await self._run(self._hasher.hash, password_bytes(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        matches = await self._run(self._matches, password_hash or self._nobodys, password_bytes(password))
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        if self._waiting >= MAX_WAITING:
            raise OverloadedError("too many passwords wait to be verified")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        finally:
            self._waiting -= 1

    def _matches(self, password_hash: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
