"""Merges inside one string: by example, and their laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.core.merge.objects import ABSENT, Conflict, merge
from shared.core.merge.policies import parse
from shared.core.merge.strings import MAX_LENGTH, merged_parts, merged_ranges


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("http://a.org/x-1", "http://b.org/x-1", "http://a.org/x-2", "http://b.org/x-2"),
        ("tool-1.36.1-win", "tool-1.36.1-win-portable", "tool-1.37.1-win", "tool-1.37.1-win-portable"),
        ("0.0.19", "0.0.20", "^0.0.20", "^0.0.20"),
        ("one", "one two", "one two three", "one two three"),
        # Both changed numbers, or neither did: they may not go together.
        ("v1 of 2", "v3 of 2", "v1 of 4", None),
        ("the red house", "the blue house", "the red boat", None),
        ("x-1", "x-2", "x-3", None),
        ("v1 of 2 and 1", "v2 of 2 and 1", "v1 of 2 and 3", None),  # the first has the numbers of the base, elsewhere
        ("1 red house", "1 blue house", "1 red boat", None),
        # One changed numbers and words.
        ("a-1", "b-2", "c-1", None),
        ("", "a", "b", None),
        ("x" * MAX_LENGTH + " 1", "x" * MAX_LENGTH + " 2", "y 1", None),
    ],
)
def test_parts_of_a_string(base: str, ours: str, theirs: str, merged: str | None) -> None:
    assert merged_parts(base, ours, theirs) == merged
    assert merged_parts(base, theirs, ours) == merged


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("^1.0", "^1.2|^2.0", "^1.1", "^1.2|^2.0"),
        ("^1.0", "^1.2 || ^2.0", "^1.5", "^1.5 || ^2.0"),
        ("^1.0|^2.0", "^1.0|^2.1|^3.0", "^1.4|^2.0", "^1.4|^2.1|^3.0"),
        ("^1.0", "^1.2", "^1.1", None),  # no alternatives: as any two values
        ("^1.0|^2.0", "^2.0|^3.0", "^1.4|^2.0", None),  # one was removed
        ("^1.0|^2.0", "^1.2|^2.0|^3.0", "^2.0|^3.0", None),
        ("^1.0", "^1.0|^2.0", "^1.0|^3.0", None),  # each added another one
        ("^1.0", "^1.0|^1.5", "^1.1", None),
        ("^0.1", "^0.2|^1.0", "^0.3", None),  # below 1 another minor version is another range
        (">=1.0", ">=1.2|^2.0", ">=1.1", None),
    ],
)
def test_ranges_of_versions(base: str, ours: str, theirs: str, merged: str | None) -> None:
    assert merged_ranges(base, ours, theirs) == merged
    assert merged_ranges(base, theirs, ours) == merged


words = st.lists(st.sampled_from(("a", "b", "12", "3", "-", ".", "/")), max_size=7).map("".join)
versions = st.builds("{}{}.{}".format, st.sampled_from("^~"), st.integers(1, 3), st.integers(0, 3))
ranges = st.lists(versions, min_size=1, max_size=3).map("|".join)


@given(st.one_of(st.tuples(words, words, words), st.tuples(ranges, ranges, ranges)))
def test_law_merging_again_gives_the_result_whichever_side_is_ours(sides: tuple[str, str, str]) -> None:
    base, ours, theirs = sides
    assume(ours != theirs and base not in (ours, theirs))
    for merged in (merged_parts, merged_ranges):
        result = merged(base, ours, theirs)
        assert merged(base, theirs, ours) == result
        if result is not None:
            for side in (ours, theirs):
                if side != result:
                    assert merged(base, side, result) == merged(base, result, side) == result


def test_a_merged_string_is_recorded_and_can_be_switched_off() -> None:
    base, ours, theirs = ({"u": f"http://{host}.org/x-{n}"} for host, n in (("a", 1), ("b", 1), ("a", 2)))
    both = "http://b.org/x-2"
    assert merge([base], ours, theirs).conflicts == (Conflict("/u", both, ABSENT, "both-edited"),)
    for policies in ({"/u": "lww"}, {"/**": "exact"}, {"/u": "max"}):
        assert merge([base], ours, theirs, policies=parse(policies)).value == theirs
    assert merge([{"v": "^1.0"}], {"v": "^1.2|^2.0"}, {"v": "^1.1"}, policies=parse({"/v": "exact"})).value == {
        "v": "^1.1"
    }


def test_a_clock_is_no_string_of_parts() -> None:
    base, ours, theirs = ({"updated_at": f"2026-01-01T{t}:00Z"} for t in ("10:00", "10:30", "12:30"))
    assert merge([base], theirs, ours).value == theirs
    assert merge([base], ours, theirs).conflicts[0].rule == "newer"


@pytest.mark.parametrize(("ours", "theirs"), [("", "text"), ("text", "")])
def test_of_two_that_were_added_the_empty_one_falls(ours: str, theirs: str) -> None:
    def result(policies: dict[str, Any]) -> Any:
        return merge([{}], {"f": ours}, {"f": theirs}, policies=parse(policies)).value["f"]

    assert result({}) == result({"/f": "version"}) == "text"
    assert result({"/f": "lww"}) == result({"/f": "exact"}) == theirs
    assert merge([{"f": "before"}], {"f": ours}, {"f": theirs}).value["f"] == theirs
