"""What undo makes of a document, and what the journal keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from client.tasks.journal import KEPT, Journal, Step, undone
from shared.core.documents import DocumentId
from shared.core.json.canonical import equal
from shared.testing.strategies import documents, edited

A = DocumentId("a")


@given(st.none() | documents(), st.none() | documents())
def test_what_nobody_touched_since_is_as_it_was(before: Any, after: Any) -> None:
    assert equal(undone(Step(A, before, after), after), before)


def test_undoing_the_first_tag_leaves_those_that_were_added_since() -> None:
    step = Step(A, {"id": "a"}, {"id": "a", "tags": ["home"]})
    assert undone(step, {"id": "a", "tags": ["home", "work"]}) == {"id": "a", "tags": ["work"]}


@given(st.data(), documents())
def test_what_happened_since_stays(data: st.DataObject, before: dict[str, Any]) -> None:
    after = {**before, "ours": 1}
    now = {**data.draw(edited(after)), "ours": 1}
    assert equal(undone(Step(A, before, after), now), {name: v for name, v in now.items() if name != "ours"})


def test_a_task_that_came_or_went_since() -> None:
    before, after, other = {"id": "a", "x": 1}, {"id": "a", "x": 2}, {"id": "a", "x": 3}
    assert undone(Step(A, before, after), None) is None
    assert undone(Step(A, before, None), other) == other
    assert undone(Step(A, None, after), other) == other
    assert undone(Step(A, None, after), {**after, "modified": "2026-01-01T00:00:00Z"}) is None


def test_entries_are_kept_until_they_are_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.last() is None
    first = journal.record("add", [Step(A, None, {"id": "a"})])
    second = journal.record("delete", [Step(A, {"id": "a"}, None)])
    assert journal.last() == second
    journal.drop(second)
    journal.drop(second)
    assert journal.last() == first
    for _ in range(KEPT + 3):
        journal.record("add", [])
    assert len(list((tmp_path / "undo").iterdir())) == KEPT
