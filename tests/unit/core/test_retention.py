from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.retention import DAY_SECONDS, Kept, Retention, to_prune

NOW = 1_800_000_000.0
bodies = st.lists(
    st.builds(
        Kept,
        key=st.integers(),
        superseded_at=st.floats(NOW - 100 * DAY_SECONDS, NOW),
        size=st.integers(1, 1000),
        buried=st.booleans(),
    ),
    max_size=30,
)
retentions = st.builds(Retention, days=st.floats(0, 120), bytes_per_space=st.integers(0, 20_000))


@given(bodies, retentions)
def test_nothing_goes_that_a_rule_needs_or_that_was_promised(every: list[Kept], retention: Retention) -> None:
    gone = to_prune(every, retention, NOW)
    assert not any(kept.buried for kept in gone)
    assert all(kept.superseded_at < NOW - retention.days * DAY_SECONDS for kept in gone)


@given(bodies, retentions)
def test_the_oldest_go_first_and_no_more_than_it_takes(every: list[Kept], retention: Retention) -> None:
    gone = to_prune(every, retention, NOW)
    left = [kept for kept in every if not any(kept is other for other in gone)]
    free = [kept.superseded_at for kept in left if not kept.buried]
    if gone and free:
        assert max(kept.superseded_at for kept in gone) <= min(free)
    total = sum(kept.size for kept in every)
    if gone:
        assert total - sum(kept.size for kept in gone[:-1]) > retention.bytes_per_space


@given(bodies, retentions)
def test_what_stays_fits_unless_it_must_stay(every: list[Kept], retention: Retention) -> None:
    gone = to_prune(every, retention, NOW)
    size = sum(kept.size for kept in every) - sum(kept.size for kept in gone)
    horizon = NOW - retention.days * DAY_SECONDS
    left = [kept for kept in every if not any(kept is other for other in gone)]
    assert size <= retention.bytes_per_space or all(kept.buried or kept.superseded_at >= horizon for kept in left)
