"""What a rev tells, and what is none."""

from __future__ import annotations

import pytest

from shared.core.documents import ContentHash, Epoch, SequenceNumber
from shared.core.json.canonical import content_hash
from shared.core.resolution.revs import RevParts, make_rev, parse_rev, plain_rev
from shared.core.version_vectors import MAX_COUNTER, Source
from tests.unit.core.resolution.server import doc

# Revs


@pytest.mark.parametrize("history", [None, Epoch("k3x9d2"), Epoch("5f2c8a1b9d3e4f60")])
def test_a_rev_tells_its_parts(history: Epoch | None) -> None:
    for deleted in (False, True):
        for content in (content_hash(doc()), content_hash({})):
            parts = parse_rev(make_rev(SequenceNumber(7), content, deleted=deleted, history=history))
            assert parts == RevParts(SequenceNumber(7), content, deleted, history)


@pytest.mark.parametrize("history", [None, Epoch("k3x9d2")])
def test_a_rev_tells_the_version_that_is_stored_with_its_revision(history: Epoch | None) -> None:
    own = {Source(history or "k3x9d2"): 7}
    for version in ({Source("0f7ck3b"): 36}, {**own, Source("ab12cd34"): MAX_COUNTER}, {Source("ab12cd34"): 1}):
        rev = make_rev(SequenceNumber(7), content_hash(doc()), deleted=False, history=history, version=version)
        parts = parse_rev(rev)
        assert parts is not None and (parts.sequence, parts.history) == (7, history)
        assert {source: number for source, number in parts.version.items() if number} == version
    several = {Source(f"source{n}"): n + 1 for n in range(20)}
    parts = parse_rev(
        make_rev(SequenceNumber(7), content_hash(doc()), deleted=True, history=history, version=several)
    )
    assert parts is not None
    assert set(parts.version.items()) <= {*several.items(), *((source, 0) for source in own)}, "less is never wrong"


def test_revs_of_before_there_were_histories_are_understood() -> None:
    assert parse_rev("7-abc") == RevParts(SequenceNumber(7), ContentHash("abc"), False, None)
    assert parse_rev("7-abc-deleted") == RevParts(SequenceNumber(7), ContentHash("abc"), True, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "x",
        "1-",
        "1--",
        "x-1",
        "1-a-b",
        "-1-a",
        "1" * 30 + "-a",
        "²-a",
        "1.-a",
        ".h-a",
        "1.H-a",
        "1.h.h-a",
        "1.h.s~-a",
        "1.h.s~1.-a",
    ],
)
def test_any_other_text_is_no_rev(text: str) -> None:
    assert parse_rev(text) is None


def test_a_plain_rev_is_one_of_them() -> None:
    sequence, content, history = SequenceNumber(7), content_hash(doc()), Epoch("abc")
    assert plain_rev(sequence, content, history) == make_rev(sequence, content, deleted=False, history=history)
