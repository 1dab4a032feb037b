from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.resolution.retention import DAY_SECONDS, Kept, Prunable, Retention, to_prune

NOW = 1_800_000_000.0
rows = st.lists(
    st.builds(
        Kept,
        key=st.integers(),
        superseded_at=st.floats(NOW - 100 * DAY_SECONDS, NOW),
        size=st.integers(0, 1000),
        buried=st.booleans(),
    ),
    max_size=30,
).map(lambda every: sorted(every, key=lambda kept: kept.superseded_at))
retentions = st.tuples(st.floats(0, 120), st.floats(0, 120)).flatmap(
    lambda days: st.builds(
        Retention, days=st.just(min(days)), bytes_per_space=st.integers(0, 20_000), hash_days=st.just(max(days))
    )
)


def pruned(every: list[Kept], retention: Retention) -> Prunable:
    return to_prune(every, sum(kept.size for kept in every) - retention.bytes_per_space, retention, NOW)


@given(rows, retentions)
def test_nothing_goes_that_a_rule_needs_or_that_was_promised(every: list[Kept], retention: Retention) -> None:
    found = pruned(every, retention)
    gone = (*found.bodies, *found.rows)
    assert not any(kept.buried for kept in gone)
    assert all(kept.superseded_at < NOW - retention.days * DAY_SECONDS for kept in gone)
    assert all(kept.superseded_at < NOW - retention.hash_days * DAY_SECONDS for kept in found.rows)


@given(rows, retentions)
def test_the_oldest_go_first_and_no_more_than_it_takes(every: list[Kept], retention: Retention) -> None:
    found = pruned(every, retention)
    gone = {id(kept) for kept in (*found.bodies, *found.rows)}
    left = [kept.superseded_at for kept in every if id(kept) not in gone and not kept.buried and kept.size]
    if found.bodies and left:
        assert max(kept.superseded_at for kept in found.bodies) <= min(left)
    if found.bodies:
        size = sum(kept.size for kept in every) - sum(kept.size for kept in (*found.bodies[:-1], *found.rows))
        assert size > retention.bytes_per_space


@given(rows, retentions)
def test_what_stays_fits_unless_it_must_stay(every: list[Kept], retention: Retention) -> None:
    found = pruned(every, retention)
    gone = {id(kept) for kept in (*found.bodies, *found.rows)}
    left = [kept for kept in every if id(kept) not in gone and kept.size]
    fits = sum(kept.size for kept in left) <= retention.bytes_per_space
    horizon = NOW - retention.days * DAY_SECONDS
    assert fits or all(kept.buried or kept.superseded_at >= horizon for kept in left)
    assert fits == (found.excess <= 0)


@given(rows, retentions)
def test_no_row_outlives_its_days(every: list[Kept], retention: Retention) -> None:
    old = {id(k) for k in every if k.superseded_at < NOW - retention.hash_days * DAY_SECONDS and not k.buried}
    assert {id(kept) for kept in pruned(every, retention).rows} == old


@given(rows, retentions, st.integers(1, 7))
def test_deciding_in_portions_is_deciding_at_once(every: list[Kept], retention: Retention, portion: int) -> None:
    whole = pruned(every, retention)
    excess = sum(kept.size for kept in every) - retention.bytes_per_space
    found = Prunable((), (), excess)
    for start in range(0, len(every), portion):
        part = to_prune(every[start : start + portion], found.excess, retention, NOW)
        found = Prunable((*found.bodies, *part.bodies), (*found.rows, *part.rows), part.excess)
    assert found == whole


def test_rows_are_not_to_go_before_bodies() -> None:
    with pytest.raises(ValueError, match="retention_hash_days"):
        Retention(days=30, bytes_per_space=0, hash_days=7)
