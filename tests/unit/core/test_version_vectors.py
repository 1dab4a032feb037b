from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.version_vectors import (
    MAX_SOURCES,
    Source,
    Version,
    bounded,
    equal,
    includes,
    is_source,
    join,
    maximal,
    meet,
)

versions: st.SearchStrategy[Version] = st.dictionaries(
    st.sampled_from([Source(name) for name in "abcd"]), st.integers(0, 4), max_size=4
)


@given(versions, versions, versions)
def test_join_is_commutative_associative_and_idempotent(a: Version, b: Version, c: Version) -> None:
    assert equal(join(a, b), join(b, a))
    assert equal(join(join(a, b), c), join(a, join(b, c)))
    assert equal(join(a, a), a)
    assert equal(join(a, {}), a)


@given(versions, versions, versions)
def test_join_is_the_least_version_that_includes_both(a: Version, b: Version, c: Version) -> None:
    assert includes(join(a, b), a)
    assert includes(join(a, b), b)
    assert (includes(c, a) and includes(c, b)) == includes(c, join(a, b))


@given(versions, versions, versions)
def test_meet_is_the_greatest_version_that_both_include(a: Version, b: Version, c: Version) -> None:
    assert includes(a, meet(a, b))
    assert includes(b, meet(a, b))
    assert (includes(a, c) and includes(b, c)) == includes(meet(a, b), c)


@given(versions, versions, versions)
def test_includes_is_a_partial_order(a: Version, b: Version, c: Version) -> None:
    assert includes(a, a)
    if includes(a, b) and includes(b, c):
        assert includes(a, c)
    assert equal(a, b) == (includes(a, b) and includes(b, a))


@given(st.lists(versions, max_size=6))
def test_maximal_leaves_out_exactly_what_another_one_includes(found: list[Version]) -> None:
    numbered = [(version, number) for number, version in enumerate(found)]
    kept = maximal(numbered)
    assert kept == [one for one in numbered if one in kept]
    for version, number in numbered:
        above = any(includes(other, version) and not equal(other, version) for other in found)
        assert ((version, number) in kept) != above


@given(versions, st.lists(st.sampled_from([Source(name) for name in "abcd"]), unique=True), st.integers(0, 4))
def test_bounded_never_says_more(version: Version, droppable: list[Source], most: int) -> None:
    found = bounded(version, droppable, most)
    assert includes(version, found)
    assert all(version[source] == number for source, number in found.items())
    assert len(found) == min(most, sum(number > 0 for number in version.values()))


def test_the_first_that_may_go_goes_first_and_then_the_least() -> None:
    version = {Source("a"): 9, Source("b"): 1, Source("c"): 5, Source("d"): 7}
    assert bounded(version, [Source("d"), Source("a")], 3) == {Source("a"): 9, Source("b"): 1, Source("c"): 5}
    assert bounded(version, [Source("d")], 2) == {Source("a"): 9, Source("c"): 5}
    assert len(bounded({Source(f"s{number}"): 1 for number in range(100)}, [])) == MAX_SOURCES


@pytest.mark.parametrize(
    ("text", "accepted"),
    [("0a", True), ("z" * 64, True), ("z" * 65, False), ("", False), ("A", False), ("a.b", False)],
)
def test_the_form_of_a_source(text: str, accepted: bool) -> None:
    assert is_source(text) is accepted
