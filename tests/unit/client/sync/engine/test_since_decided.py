"""What became of a decided conflict, as far as the document says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from client.sync.engine.own_edits import BOTH_STAND, LIVES_ON
from client.sync.engine.since_decided import Since, place_changed, since_decided
from client.tasks.take_back import taken_back
from shared.core.documents import Body
from shared.core.json.values import ABSENT
from shared.core.merge.objects import merge
from shared.testing.strategies import documents

STANDS, BACK, CHANGED, DELETED = Since.STANDS, Since.TAKEN_BACK, Since.CHANGED, Since.DELETED


def conflict(path: str, rule: str = "clock", **sides: Any) -> dict[str, Any]:
    return {"path": path, "rule": rule, **sides}


TITLE = conflict("/title", kept="B", dropped="A")
REMOVED = conflict("/title", "edit-beats-removal", kept="B")
REMOVAL = conflict("/title", "delete-wins", dropped="A")
MEMBER = conflict("/tags/0", kept="b", dropped="a")
INSERTED = conflict("/tags/-", dropped=["a", "c"])
NOTE = conflict("/notes/0/text", kept="B", dropped="A")


@pytest.mark.parametrize(
    ("decided", "body", "expected"),
    [
        (TITLE, {"title": "B"}, STANDS),
        (TITLE, {"title": "A"}, BACK),
        (TITLE, {"title": "C"}, CHANGED),
        (TITLE, {}, CHANGED),
        (TITLE, None, DELETED),
        (REMOVED, {"title": "B"}, STANDS),
        (REMOVED, {}, BACK),
        (REMOVED, {"title": "C"}, CHANGED),
        (REMOVAL, {}, STANDS),
        (REMOVAL, {"title": "A"}, BACK),
        (REMOVAL, {"title": "C"}, CHANGED),
        (MEMBER, {"tags": ["x", "b"]}, STANDS),
        (MEMBER, {"tags": ["x", "a"]}, BACK),
        (MEMBER, {"tags": ["x"]}, CHANGED),
        (INSERTED, {"tags": ["x", "a"]}, STANDS),
        (INSERTED, {"tags": ["c", "x", "a"]}, BACK),
        (conflict("/tags/-", dropped="a"), {"tags": ["x"]}, STANDS),
        (conflict("/tags/-", dropped="a"), {"tags": ["x", "a"]}, BACK),
        (conflict("/tags/1", kept=["b", "c"], dropped=["d"]), {"tags": ["a", "b", "c"]}, STANDS),
        (conflict("/tags/1", kept=["b", "c"], dropped=["d"]), {"tags": ["a", "d"]}, BACK),
        (conflict("/tags/1", kept=["b", "c"], dropped=["d"]), {"tags": ["a"]}, CHANGED),
        (conflict("/tags/0", "edit-beats-removal", kept="b"), {"tags": ["b"]}, STANDS),
        (conflict("/tags/0", "edit-beats-removal", kept="b"), {"tags": ["c"]}, BACK),
        (NOTE, {"notes": [{"text": "new"}, {"text": "B"}]}, STANDS),
        (NOTE, {"notes": [{"text": "new"}, {"text": "A"}]}, BACK),
        (NOTE, {"notes": [{"text": "new"}, {}]}, CHANGED),
        (conflict("/title", redacted=True), {"title": "?"}, STANDS),
        (conflict("/title", elided=True), {"title": "?"}, STANDS),
        (conflict("/title", elided=True, dropped="A"), {"title": "?"}, STANDS),
        (conflict("/title", elided=True, dropped="A"), {"title": "A"}, BACK),
        (conflict("/title", "both-kept", kept="B", dropped="A"), {"title": "A"}, STANDS),
        (conflict("", LIVES_ON), {"title": "B"}, STANDS),
        (conflict("", LIVES_ON), None, BACK),
        (conflict("", "perhaps-unseen"), None, STANDS),
        (conflict("", "perhaps-unseen"), {"title": "B"}, BACK),
    ],
)
def test_what_became_of_it(decided: dict[str, Any], body: Body | None, expected: Since) -> None:
    assert since_decided(decided, body if body is None else {"id": "t", **body}) is expected


@given(documents(), documents())
def test_it_stands_right_after_and_is_back_when_it_was_taken(a: Body, b: Body) -> None:
    merged: Any = merge([], {**a, "id": "t"}, {**b, "id": "t"})
    for one in merged.conflicts:
        sides = {side: getattr(one, side) for side in ("kept", "dropped") if getattr(one, side) is not ABSENT}
        found = conflict(one.path, one.rule, **sides)
        assert since_decided(found, merged.value) is STANDS
        if one.rule not in BOTH_STAND:
            assert since_decided(found, taken_back(merged.value, [found])) is BACK


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("/title", {"title": "B"}, {"title": "A"}, True),
        ("/tags/0", {"tags": ["a"]}, {"tags": []}, True),
        ("/title", {"title": "B", "x": 1}, {"title": "B", "x": 2}, False),
        ("/title", {"title": "B"}, None, True),
        ("/title", None, {"title": "B"}, True),
        ("", {"title": "B"}, {"title": "C"}, True),
        ("", {"title": "B", "modified": "1"}, {"title": "B", "modified": "2"}, False),
    ],
)
def test_whether_a_step_changed_its_place(path: str, before: Body | None, after: Body | None, expected: bool) -> None:
    assert place_changed(conflict(path), before, after) is expected
