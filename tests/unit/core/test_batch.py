from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.batch import MAX_CONFLICT_VALUE_BYTES, Item, conflict_rows, waves
from shared.core.conflicts import Conflict
from shared.core.documents import ContentHash, DeviceId, DocumentId
from shared.core.memory import Submission
from shared.core.policies import NO_POLICIES, parse
from shared.core.values import ABSENT


def _item(document: str) -> Item:
    submission = Submission(DocumentId(document), {"id": document}, ContentHash("0" * 32), 0.0)
    return Item(submission, DeviceId("d"))


@given(st.lists(st.sampled_from("abcdef")))
def test_each_document_once_a_wave_and_in_order_over_the_waves(documents: list[str]) -> None:
    found = waves([_item(document) for document in documents])
    assert sorted(index for wave in found for index in wave) == list(range(len(documents)))
    for wave in found:
        assert len({documents[index] for index in wave}) == len(wave)
    for document in set(documents):
        turns = [index for wave in found for index in wave if documents[index] == document]
        assert turns == sorted(turns)


def test_conflict_rows_show_what_there_was() -> None:
    rows = conflict_rows([Conflict("/a", 1, ABSENT, "edit-beats-removal")], NO_POLICIES)
    assert rows == ({"path": "/a", "rule": "edit-beats-removal", "kept": 1},)


def test_secret_values_are_left_out() -> None:
    policies = parse({"/password": ["lww", "secret"]})
    conflicts = [Conflict("/password", "new one", "old one", "clock"), Conflict("/a", 1, 2, "clock")]
    secret, plain = conflict_rows(conflicts, policies)
    assert secret == {"path": "/password", "rule": "clock", "redacted": True}
    assert plain["dropped"] == 2


def test_large_values_are_left_out() -> None:
    (row,) = conflict_rows([Conflict("/a", "x" * MAX_CONFLICT_VALUE_BYTES, 2, "clock")], NO_POLICIES)
    assert row == {"path": "/a", "rule": "clock", "elided": True, "dropped": 2}
