from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.cursors import cursor_of, is_behind, parse_cursor
from shared.core.documents import Epoch, Position, Sequence

positions = st.builds(
    Position, st.from_regex(r"[0-9a-f]{16}", fullmatch=True).map(Epoch), st.integers(0, 2**53).map(Sequence)
)


@given(positions)
def test_a_cursor_says_its_position(position: Position) -> None:
    assert parse_cursor(cursor_of(position)) == position


@given(st.text(max_size=30) | st.from_regex(r"[0-9a-f]{4}-?\d{0,25}\n?", fullmatch=True))
def test_what_is_none_is_refused(text: str) -> None:
    found = parse_cursor(text)
    assert found is None or int(text.rpartition("-")[2]) == found.sequence


@pytest.mark.parametrize(
    ("cursor", "now", "behind"),
    [(("a", 1), ("a", 1), False), (("a", 1), ("a", 2), True), (("a", 2), ("a", 1), None), (("a", 1), ("b", 1), None)],
)
def test_behind_is_told_within_one_history(
    cursor: tuple[str, int], now: tuple[str, int], behind: bool | None
) -> None:
    there, here = (Position(Epoch(e), Sequence(s)) for e, s in (cursor, now))
    assert is_behind(there, here) is behind
