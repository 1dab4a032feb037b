"""What undo makes of a document, and what the journal keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.journal import ARRIVALS, KEPT, Journal, Step
from client.tasks.undone import CannotUndoError, undone
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
    assert undone(Step(A, before, None), other) == other
    assert undone(Step(A, None, after), {**after, "modified": "2026-01-01T00:00:00Z"}) is None
    assert undone(Step(A, None, after), None) is None
    with pytest.raises(CannotUndoError, match="hypertask restore a"):
        undone(Step(A, before, after), None)
    with pytest.raises(CannotUndoError, match="hypertask delete a"):
        undone(Step(A, None, after), other)


def test_an_edit_of_the_same_field_since_is_never_taken_back() -> None:
    """An editor need not set the clock, and may even write an older one."""
    step = Step(
        A, {"id": "a", "modified": "2026-01-02T00:00:00Z"}, {"id": "a", "p": "H", "modified": "2026-01-03T00:00:00Z"}
    )
    for clock in ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"):
        with pytest.raises(CannotUndoError, match="changed again since then: p"):
            undone(step, {"id": "a", "p": "L", "modified": clock})


def test_what_a_listing_wrote_is_no_change() -> None:
    pattern = {"id": "a", "status": "recurring"}
    assert undone(Step(A, None, pattern), {**pattern, "made_until": "2026-01-03"}) is None
    now = {**pattern, "made_until": "2026-01-03", "tags": ["x"]}
    assert undone(Step(A, pattern, {**pattern, "tags": ["x"]}), now) == {**pattern, "made_until": "2026-01-03"}


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


def test_arrivals_have_a_journal_of_their_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ARRIVALS)
    came = journal.record("sync", [Step(A, None, {"id": "a"})])
    assert Journal(tmp_path).last() is None
    assert list(journal.entries()) == [came]
