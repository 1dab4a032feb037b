from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Epoch, Position, SequenceNumber
from shared.core.index.cursors import cursor_of, is_behind, parse_cursor
from shared.core.index.lineage import Begun, Lineage

positions = st.builds(
    Position, st.from_regex(r"[0-9a-f]{16}", fullmatch=True).map(Epoch), st.integers(0, 2**53).map(SequenceNumber)
)


@given(positions)
def test_a_cursor_says_its_position(position: Position) -> None:
    assert parse_cursor(cursor_of(position)) == position


@given(st.text(max_size=30) | st.from_regex(r"[0-9a-f]{4}-?\d{0,25}\n?", fullmatch=True))
def test_what_is_none_is_refused(text: str) -> None:
    found = parse_cursor(text)
    assert found is None or int(text.rpartition("-")[2]) == found.sequence


@pytest.mark.parametrize(
    ("cursor", "behind"),
    [
        (("a", 10), True),
        (("a", 11), None),
        (("a", 12), None),
        (("b", 9), None),
        (("b", 10), True),
        (("b", 12), False),
        (("b", 13), None),
        (("c", 12), None),
    ],
)
def test_a_cursor_counts_within_the_part_of_its_history_that_is_known(
    cursor: tuple[str, int], behind: bool | None
) -> None:
    """The store was put back to 10, and went on to 12 in another history."""
    histories = (Begun(Epoch("a"), SequenceNumber(1)), Begun(Epoch("b"), SequenceNumber(11)))
    position = Position(Epoch(cursor[0]), SequenceNumber(cursor[1]))
    assert is_behind(position, Lineage(histories, SequenceNumber(12))) is behind
