"""The laws of shared/core/resolution/quota.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.resolution.quota import ReachedQuota, only_growth, reached, reached_by
from shared.core.resolution.usage import NO_QUOTA, Quota, Usage, total

AMOUNTS = st.integers(0, 40)
COUNTED = st.none() | AMOUNTS
USAGES = st.builds(Usage, AMOUNTS, COUNTED, COUNTED)
CHANGES = st.builds(Usage, st.integers(-1, 1), st.integers(-20, 20), st.integers(0, 20))
QUOTAS = st.builds(Quota, AMOUNTS, AMOUNTS, AMOUNTS)


@given(USAGES, CHANGES, QUOTAS)
def test_what_makes_a_space_no_larger_is_taken(usage: Usage, change: Usage, quota: Quota) -> None:
    smaller = Usage(min(change.documents, 0), min(change.size or 0, 0), 0)
    assert reached(usage, smaller, quota) is None
    assert reached(usage, Usage(-1, change.size, change.history_size), quota) is None, "a deletion"
    assert reached(usage, change, NO_QUOTA) is None


@given(QUOTAS, st.lists(CHANGES, max_size=20))
def test_a_space_stays_within_its_quota(quota: Quota, changes: list[Usage]) -> None:
    usage = Usage()
    for change in changes:
        if change.documents >= 0 and reached(usage, change, quota) is None:
            usage = usage.plus(change)
            assert not quota.documents or usage.documents <= quota.documents
            assert usage.size is not None and (not quota.size or usage.size <= quota.size)
            assert usage.history_size is not None
            assert not quota.history_size or usage.history_size <= quota.history_size


@given(USAGES, st.lists(CHANGES, min_size=1, max_size=5), QUOTAS)
def test_what_fits_all_at_once_fits_one_by_one(usage: Usage, changes: list[Usage], quota: Quota) -> None:
    """A transaction that is not exact looks at the sum of what grows alone."""
    if reached(usage, total([only_growth(change) for change in changes]), quota) is None:
        for change in changes:
            assert reached(usage, change, quota) is None
            usage = usage.plus(change)


@given(st.lists(USAGES, max_size=8))
def test_what_several_are_together_is_what_one_after_another_comes_to(parts: list[Usage]) -> None:
    one_by_one = Usage()
    for part in parts:
        one_by_one = one_by_one.plus(part)
    assert total(parts) == one_by_one


def test_a_limit_that_was_reached_is_said_and_read() -> None:
    found = reached(Usage(3, 10, 10), Usage(1, 5, 0), Quota(3, 100, 100))
    assert found == ReachedQuota("space_documents", 3, 3)
    assert reached_by(found.rule) == found
    assert reached(Usage(3, 10, 10), Usage(1, 5, 0), Quota(9, 14, 0)) == ReachedQuota("space_bytes", 10, 14)
    assert reached(Usage(3, 10, 10), Usage(0, 5, 5), Quota(9, 20, 12)) == ReachedQuota("space_history_bytes", 10, 12)
    assert reached(Usage(3, None, None), Usage(0, 5, 5), Quota(9, 1, 1)) is None, "not counted yet"
    assert reached_by("no more than 3") is None
