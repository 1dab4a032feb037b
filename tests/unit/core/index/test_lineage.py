from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Epoch, Position, SequenceNumber
from shared.core.index.lineage import (
    MAX_HISTORIES,
    Begun,
    Lineage,
    first_history,
    next_history,
    without_origins,
)
from shared.core.version_vectors import Source, includes

FIRST = Epoch("k3x9d2")


def lineage(*histories: tuple[str, int], sequence: int) -> Lineage:
    return Lineage(tuple(Begun(Epoch(i), SequenceNumber(n)) for i, n in histories), SequenceNumber(sequence))


def at(history: str, sequence: int) -> Position:
    return Position(Epoch(history), SequenceNumber(sequence))


@st.composite
def grown(draw: st.DrawFn) -> tuple[Lineage, list[Position]]:
    """A lineage that grew by writes and new histories, and every position that it was at."""
    now = lineage((FIRST, 1), sequence=0)
    told = [now.position]
    for step in draw(st.lists(st.booleans(), max_size=12)):
        if step:
            first = SequenceNumber(now.sequence + 1)
            now = now.begun(next_history(now.current, first, draw(st.integers(0, 2**40))))
        else:
            now = Lineage(now.histories, SequenceNumber(now.sequence + 1))
        told.append(now.position)
    return now, told


@given(grown())
def test_exactly_the_positions_that_were_told_are_held(found: tuple[Lineage, list[Position]]) -> None:
    now, told = found
    everywhere = {Position(one.id, SequenceNumber(n)) for one in now.histories for n in range(now.sequence + 3)}
    assert {position for position in everywhere if now.holds(position)} == set(told)
    assert not now.holds(at("another", 1))


@given(grown())
def test_versions_grow_with_the_sequence(found: tuple[Lineage, list[Position]]) -> None:
    now, _ = found
    versions = [now.version_of(SequenceNumber(n)) for n in range(1, now.sequence + 1)]
    assert all(includes(b, a) == (i <= k) for i, a in enumerate(versions) for k, b in enumerate(versions))
    for n, version in enumerate(versions, 1):
        assert now.reach(version) == n
        assert now.version_at(now.history_of(SequenceNumber(n)), SequenceNumber(n)) == version
        assert now.closed({Source(now.history_of(SequenceNumber(n))): n}) == version


@given(grown(), st.integers(1, 2**40))
def test_a_new_history_holds_what_was_held(found: tuple[Lineage, list[Position]], random: int) -> None:
    now, told = found
    after = now.begun(next_history(now.current, SequenceNumber(now.sequence + 1), random))
    assert all(after.holds(position) for position in told)
    assert after.position.sequence == now.sequence


def test_what_was_told_before_the_store_was_put_back_is_lost() -> None:
    now = lineage((FIRST, 1), ("0f7ck3b", 11), sequence=12)
    assert [now.holds(at(FIRST, n)) for n in (10, 11, 15)] == [True, False, False]
    assert [now.holds(at("0f7ck3b", n)) for n in (9, 10, 12, 13)] == [False, True, True, False]
    assert now.version_at(FIRST, SequenceNumber(15)) == {"k3x9d2": 15}
    assert now.version_at(Epoch("0f7ck3b"), SequenceNumber(12)) == {"k3x9d2": 10, "0f7ck3b": 12}
    assert now.reach(now.version_at(FIRST, SequenceNumber(15))) == 10


def test_the_id_of_a_history_that_is_unknown_says_where_it_branched_off() -> None:
    """Put back to 10, then, from another copy, to 8."""
    lost = next_history(FIRST, SequenceNumber(11), 7)
    again = next_history(FIRST, SequenceNumber(9), 8)
    now = lineage((FIRST, 1), (again, 9), sequence=12)
    version = now.version_at(lost, SequenceNumber(13))
    assert version == {FIRST: 10, lost: 13}
    assert now.reach(version) == 8
    other = next_history(Epoch("zzzzzz"), SequenceNumber(11), 7)
    assert now.version_at(other, SequenceNumber(13)) == {other: 13}
    assert now.version_at(Epoch("5f2c8a1b9d3e4f60"), SequenceNumber(13)) == {"5f2c8a1b9d3e4f60": 13}


def test_the_id_of_a_history_tells_where_its_ancestors_branched_off() -> None:
    """A database that was started several times since the copy to which it is put back."""
    ids = [FIRST]
    for number in range(1, 8):
        ids.append(next_history(ids[-1], SequenceNumber(10 * number + 1), 7**number * 12345))
    now = lineage((FIRST, 1), sequence=8)
    for number in range(1, 6):
        version = now.version_at(ids[number], SequenceNumber(99))
        assert version == {FIRST: 10, ids[number]: 99}, number
        assert now.reach(version) == 8
    assert now.version_at(ids[6], SequenceNumber(99)) == {ids[6]: 99}, "so far it does not tell"
    assert now.completed({Source(ids[4]): 45}, [Source(one) for one in ids[2:4]]) == {
        ids[2]: 30,
        ids[3]: 40,
        ids[4]: 45,
    }
    assert all(len(one) <= 64 for one in ids)


def test_the_id_of_a_folder_tells_of_no_history_and_of_no_other_folder() -> None:
    now = lineage(("13bbbb", 1), sequence=8)
    folder, other = Source("00001304"), Source("13abcdef")
    assert now.completed({folder: 9}, [other]) == {folder: 9}
    assert now.with_origins({folder: 9}) == {folder: 9}
    assert not now.is_lost(folder, 9, [other])
    assert without_origins({folder: 9, other: 2}) == {folder: 9, other: 2}


def test_a_folder_is_no_ancestor_of_a_history() -> None:
    now = lineage((FIRST, 1), sequence=8)
    history, folder = next_history(Epoch("13ab0000"), SequenceNumber(5), 12345), Source("13abcdef")
    assert now.completed({Source(history): 9}, [folder]) == {Source(history): 9}
    assert without_origins({Source(history): 9, folder: 2}) == {Source(history): 9, folder: 2}


def test_ids_of_before_told_their_parent_alone() -> None:
    now = lineage((FIRST, 1), sequence=8)
    assert now.version_at(Epoch("0f7ck3b"), SequenceNumber(12)) == {FIRST: 10, "0f7ck3b": 12}


def test_the_histories_of_a_lineage_are_bounded_and_the_second_takes_the_place_of_the_oldest() -> None:
    now = lineage((FIRST, 1), sequence=0)
    for n in range(1, MAX_HISTORIES + 1):
        now = Lineage(now.histories, SequenceNumber(n)).begun(Epoch(f"h{n}"))
    assert len(now.histories) == MAX_HISTORIES
    assert now.histories[0] == Begun(Epoch("h1"), SequenceNumber(1))
    assert not now.holds(at(FIRST, 1))
    # What is stored of that time knows its own history.
    assert now.version_of(SequenceNumber(1), FIRST) == {"h1": 1, FIRST: 1}


@given(st.integers(0, 2**60), st.integers(1, 36**7 - 1))
def test_ids_of_histories_are_short_and_sources(random: int, first: int) -> None:
    assert len(first_history(random)) == 6
    assert 14 <= len(next_history(FIRST, SequenceNumber(first), random)) <= 20
