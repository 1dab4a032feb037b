"""What is looked at again before the next plan."""

from __future__ import annotations

import pytest

from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope, Recheck
from shared.core.identifiers import DocumentId

IDS = [DocumentId(f"d{number}") for number in range(100)]


def test_documents_that_come_one_by_one_are_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of ten thousand that were sent was put together with all before it: a quarter of a first push."""
    unions: list[ChangeScope] = []
    union = ChangeScope.__or__

    def counted(one: ChangeScope, other: ChangeScope) -> ChangeScope:
        unions.append(other)
        return union(one, other)

    monkeypatch.setattr(ChangeScope, "__or__", counted)
    recheck = Recheck()
    for document in IDS:
        recheck.include([document])
    assert recheck.files == ChangeScope.of(IDS) == recheck.files
    assert len(unions) == 1


def test_what_is_set_takes_the_place_of_what_was_included() -> None:
    recheck = Recheck()
    recheck.include(IDS)
    recheck.files = NOTHING
    assert recheck.files == NOTHING
    recheck.include(IDS[:1])
    recheck.files |= ChangeScope.of(IDS[1:2])
    assert recheck.files == ChangeScope.of(IDS[:2])
    recheck.files |= EVERYTHING
    recheck.include(IDS)
    assert recheck.files == EVERYTHING
