"""What every ActiveShares must do. A test module subclasses the suite and gives it some. Others may tell something
meanwhile, of other shares."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

import pytest

from shared.core.documents import SpaceId, share_of
from shared.ports.active_shares import TOLD_SECONDS, ActiveShares


class ActiveSharesContract:
    @pytest.fixture
    def told_seconds(self) -> float:
        return 10 * TOLD_SECONDS  # the machine may be slow

    @pytest.fixture
    def shares(self, told_seconds: float) -> ActiveShares:
        raise NotImplementedError

    @pytest.fixture
    def mine(self) -> SpaceId:
        return share_of(uuid.uuid4().hex)

    @pytest.fixture
    def names(self) -> list[str]:
        """Of processes."""
        return [uuid.uuid4().hex for _ in range(3)]

    async def test_each_hears_what_the_others_told(
        self, shares: ActiveShares, mine: SpaceId, names: list[str]
    ) -> None:
        other = SpaceId(mine + ' "é"')
        one, two, three = names
        assert of(await shares.tell(one, {mine: 3, other: 1}), mine) == {}, "not what it told itself"
        assert of(await shares.tell(two, {mine: 4}), mine) == {mine: 3, other: 1}
        assert of(await shares.tell(three, {}), mine) == {mine: 7, other: 1}, "the sum"

    async def test_what_is_newer_replaces_what_was_told(
        self, shares: ActiveShares, mine: SpaceId, names: list[str]
    ) -> None:
        one, two, _ = names
        other = SpaceId(mine + "x")
        await shares.tell(one, {mine: 3})
        await shares.tell(one, {other: 2})
        assert of(await shares.tell(two, {}), mine) == {other: 2}

    @pytest.mark.parametrize("told_seconds", [0.05])
    async def test_what_is_old_is_forgotten(self, shares: ActiveShares, mine: SpaceId, names: list[str]) -> None:
        await shares.tell(names[0], {mine: 3})
        for _ in range(1000):
            if not of(await shares.tell(names[1], {}), mine):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it is still told")


def of(counts: Mapping[SpaceId, int], mine: SpaceId) -> dict[SpaceId, int]:
    """Of shares whose names begin so."""
    return {share: count for share, count in counts.items() if share.startswith(mine)}
