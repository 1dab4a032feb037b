"""Who takes most of a worker's time rests while others have something to do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import SpaceId
from worker.shares import TimeShares

LOUD, QUIET = SpaceId("loud"), SpaceId("quiet")


def test_a_space_that_is_alone_never_rests() -> None:
    shares = TimeShares(0.0)
    assert [shares.took(LOUD, 0.1, float(at)) for at in range(20)] == [0.0] * 20


def test_a_space_that_takes_most_rests_as_long_as_its_batch_took() -> None:
    shares = TimeShares(100.0)
    shares.took(QUIET, 0.01, 100.0)
    assert shares.took(LOUD, 0.2, 100.1) == 0.2
    assert shares.took(QUIET, 0.01, 100.2) == 0.0
    assert shares.took(LOUD, 9.0, 100.3) == 0.5, "not for ever"


def test_who_was_there_long_ago_holds_nobody_up() -> None:
    shares = TimeShares(100.0)
    shares.took(QUIET, 0.01, 100.0)
    assert shares.took(LOUD, 0.2, 101.5) > 0.0
    assert shares.took(LOUD, 0.2, 103.0) == 0.0
    assert shares.took(LOUD, 0.2, 110.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from([LOUD, QUIET, SpaceId("other")]), st.floats(0, 1)), max_size=40))
def test_a_rest_is_never_longer_than_the_batch(batches: list[tuple[SpaceId, float]]) -> None:
    shares = TimeShares(1e9)
    for space, seconds in batches:
        assert 0.0 <= shares.took(space, seconds, 1e9) <= seconds
