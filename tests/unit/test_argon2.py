"""Passwords as they are hashed in production; everywhere else tests hash them at less cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.adapters.argon2 import MAX_WAITING, Argon2Hasher
from shared.ports import OverloadedError


@pytest.fixture
def hasher() -> Iterator[Argon2Hasher]:
    made = Argon2Hasher(threads=1)
    yield made
    made.close()


async def test_a_hash_says_what_it_cost_and_one_that_cost_less_is_outdated(hasher: Argon2Hasher) -> None:
    hashed = await hasher.hash("a long password")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and not hasher.is_outdated(hashed)
    cheap = Argon2Hasher(threads=1, passes=1, memory_kib=8)
    assert hasher.is_outdated(await cheap.hash("a long password"))
    cheap.close()


async def test_the_password_alone_matches(hasher: Argon2Hasher) -> None:
    hashed = await hasher.hash("a long password")
    assert await hasher.verify(hashed, "a long password")
    assert not await hasher.verify(hashed, "another password")
    assert not await hasher.verify("no hash", "a long password")
    assert not await hasher.verify(None, "of nobody")


async def test_more_than_may_wait_are_refused(hasher: Argon2Hasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hasher, "_waiting", MAX_WAITING)
    with pytest.raises(OverloadedError):
        await hasher.verify(None, "a long password")
