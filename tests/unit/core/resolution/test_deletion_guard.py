from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.resolution.deletion_guard import (
    ALWAYS_ALLOWED,
    NO_DELETIONS,
    SHARE,
    WINDOW_SECONDS,
    Deletions,
    held_back,
)


def _deleted(live: int, attempts: int, pause: float = 0.0) -> int:
    """How many of `attempts` deletions get through."""
    done, counted = 0, NO_DELETIONS
    for number in range(attempts):
        after = counted.one_more(1000.0 + number * pause)
        if held_back(after, live - done):
            break
        counted, done = after, done + 1
    return done


@given(st.integers(0, 2000))
def test_a_device_deletes_its_share_and_no_more(live: int) -> None:
    assert _deleted(live, live) == min(live, max(ALWAYS_ALLOWED, int(SHARE * live)))


def test_deletions_over_a_long_time_are_not_held_back() -> None:
    assert _deleted(1000, 1000, pause=WINDOW_SECONDS / 5) == 1000


def test_a_window_that_is_over_starts_anew() -> None:
    assert Deletions(0.0, 500).one_more(WINDOW_SECONDS + 1) == Deletions(WINDOW_SECONDS + 1, 1)
