"""Keys stand for values; clocks, versions and texts are read as they are meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import equal
from shared.core.json.values import ABSENT, Keys, weigh
from shared.core.merge.clock import clock, instant
from shared.core.merge.sequences import Steps
from shared.core.merge.text import merge_text
from shared.core.merge.version_strings import version_order
from shared.testing import strategies

values = strategies.json_values(8)


@given(values, values, st.data())
def test_law_keys_are_equal_where_values_are(a: Any, b: Any, data: st.DataObject) -> None:
    keys = Keys()
    other = data.draw(strategies.respelled(a))
    for x, y in ((a, b), (a, other), (a, a)):
        assert keys.same(x, y) == equal(x, y)
        assert (keys.key(x) == keys.key(y)) == equal(x, y)
        assert keys.same(x, y) == equal(x, y), "now that both are known"
    assert not keys.same(a, ABSENT)
    assert keys.same(ABSENT, ABSENT)


def test_true_is_not_one_at_any_depth() -> None:
    keys = Keys()
    for wrap in (lambda v: v, lambda v: [v], lambda v: {"a": [1, {"b": v}]}):
        assert not keys.same(wrap(True), wrap(1))
        assert not keys.same(wrap(False), wrap(0))
        assert not keys.same(wrap(0), wrap(None))
        assert keys.same(wrap(1), wrap(1.0))
    assert not keys.same([], {})
    assert not keys.same([[1]], [1])


def test_weigh() -> None:
    assert weigh([{"a": [1, 2, 3], "b": "x\ny"}]) == 7
    assert weigh([[["a"]] * 1000], 10) > 10


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01z", 1),
        ("1970-01-01 00:00:01.5Z", 1.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("19700101T000001Z", 1),
        ("1970-01-01T00:00:60Z", 60),
        ("2026-01-01T00:00:00.1234567Z", 1767225600.123456),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01", None),
        ("1970-02-30T00:00:00Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:00:61Z", None),
        ("1970-01-01T00:00:00+24:00", None),
        ("١٩٧٠-01-01T00:00:00Z", None),
        ("", None),
        (0, None),
        (None, None),
    ],
)
def test_instants(text: Any, seconds: float | None) -> None:
    assert instant(text) == seconds


def test_the_clock_is_the_first_field_that_holds_an_instant() -> None:
    assert clock({"modified": "19700101T000001Z"}) == 1
    assert clock({"modified": "19700101T000001Z", "updated_at": "1970-01-01T00:00:02Z"}) == 2
    assert clock({"modified": "19700101T000001Z", "updated_at": "yesterday"}) == 1
    assert clock({"modified": 1}) is None
    assert clock(None) is None


def test_versions_in_order() -> None:
    order = [
        *("0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11"),
        *("1.0.0-rc.1", "1.0.0", "^1.0.1", "1.2rc1", "1.2", "1.10.0", "v2", ">= 3.1"),
    ]
    read = [version_order(text) for text in order]
    assert None not in read
    assert read == sorted(read)  # type: ignore[type-var]
    assert version_order("1.2") == version_order("v1.2.0+build.5") == version_order("~1.2")


@pytest.mark.parametrize("text", ["", "a", "1..2", "1.x", "12ab34cd", ">=1 <2", "1" * 65, "१", 1, None, True])
def test_what_is_no_version(text: Any) -> None:
    assert version_order(text) is None


lines = st.lists(st.sampled_from(("a", "b", "")), max_size=6).map("\n".join)


@given(lines, lines, lines)
def test_law_texts_merge_like_lists(base: str, ours: str, theirs: str) -> None:
    assert merge_text([base], ours, base, Steps()) == (ours, False)
    assert merge_text([base], base, theirs, Steps()) == (theirs, False)
    assert merge_text([base], ours, ours, Steps()) == (ours, False)
    merged = merge_text([base], ours, theirs, Steps())
    if merged is not None:  # else places prove nothing
        assert set(merged[0].split("\n")) <= {*ours.split("\n"), *theirs.split("\n"), ""}


def test_texts() -> None:
    assert merge_text(["a\nb\nc"], "a\nc", "a\nB\nc", Steps()) == ("a\nB\nc", True)
    assert merge_text(["a"], "a\n", "a", Steps()) == ("a\n", False)
    assert merge_text([], "a\no", "a\nt", Steps()) == ("a\no\nt", True)
    assert merge_text([], "o", "t", Steps()) == ("o\nt", True)
    far, near = "x\ny\nz", "a\nb\nc"
    assert merge_text([far, near], "a\nb\nc\nd", "0\na\nb\nc", Steps()) == ("0\na\nb\nc\nd", False)
