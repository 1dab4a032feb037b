from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import ContentHash, DeviceId, DocumentId
from shared.core.resolution.batch import Item, waves
from shared.core.resolution.context import Submission


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
