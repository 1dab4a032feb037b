"""The laws of client/sync/engine/plan.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sync.engine.plan import Adopt, Delete, Fetch, Resend, Send, pending_for, plan
from client.sync.engine.planned import Plan
from client.sync.engine.records import Outline, Pending, Record, Refused
from shared.codec import content_hash
from shared.core.documents import ContentHash, DocumentId
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import DELETED_KEY

ID = DocumentId("a")
A, B, C = ContentHash("aa"), ContentHash("bb"), ContentHash("cc")


def one(here: ContentHash | None, outline: Outline) -> Plan:
    return plan({ID: here} if here else {}, frozenset(), {ID: outline})


@pytest.mark.parametrize(
    ("here", "outline", "action"),
    [
        (A, Outline("1", shadow_hash=A, remote_hash=A), None),
        (None, Outline("1", gone=True), None),
        (A, Outline(remote_hash=A), Adopt(ID)),
        (A, Outline("1", shadow_hash=B, remote_hash=A), Adopt(ID)),
        (None, Outline("1", shadow_hash=A), Fetch(ID, removes=False)),
        (A, Outline("1", shadow_hash=A, remote_hash=B), Fetch(ID, removes=False)),
        (A, Outline("1", shadow_hash=A), Fetch(ID, removes=True)),
        (None, Outline(remote_hash=A), Fetch(ID, removes=False)),
        (B, Outline("1", shadow_hash=A, remote_hash=A), Send(ID, created=False)),
        (B, Outline("1", shadow_hash=A, remote_hash=C), Send(ID, created=False)),
        (B, Outline("1", shadow_hash=A), Send(ID, created=False)),
        (A, Outline(), Send(ID, created=True)),
        (A, Outline("1", gone=True), Send(ID, created=False)),
        (None, Outline("1", shadow_hash=A, remote_hash=A), Delete(ID)),
        (None, Outline("1", shadow_hash=A, remote_hash=B), Delete(ID)),
        (A, Outline("1", shadow_hash=A, remote_hash=A, is_pending=True), Resend(ID)),
        (A, Outline("1", shadow_hash=A, remote_hash=B, unverified=True), Send(ID, created=False)),
        (A, Outline("1", shadow_hash=A, unverified=True), Send(ID, created=False)),
        (B, Outline("1", shadow_hash=A, remote_hash=C, unverified=True), Send(ID, created=False)),
        (None, Outline("1", shadow_hash=A, unverified=True), Delete(ID)),
        (None, Outline("1", gone=True, unverified=True), Delete(ID)),
        (None, Outline("1", gone=True, remote_hash=A, unverified=True), Delete(ID)),
        (A, Outline("1", gone=True, remote_hash=A, unverified=True), Adopt(ID)),
        (None, Outline(remote_hash=A, unverified=True), Fetch(ID, removes=False)),
    ],
)
def test_the_table(here: ContentHash | None, outline: Outline, action: object) -> None:
    assert one(here, outline).actions == ((action,) if action else ())


hashes = st.sampled_from([None, A, B, C])
outlines = st.builds(
    Outline,
    base=st.sampled_from([None, "1", "2"]),
    gone=st.booleans(),
    shadow_hash=hashes,
    remote_hash=hashes,
    is_pending=st.booleans(),
    refused=st.one_of(st.none(), st.builds(Refused, st.just("x"), st.just("y"), hashes)),
    unverified=st.booleans(),
)
ids = st.sampled_from([DocumentId(letter) for letter in "abcdefgh"])
folders = st.dictionaries(ids, st.sampled_from([A, B, C]))
memories = st.dictionaries(ids, outlines)


@given(folders, memories, st.frozensets(ids), st.booleans(), st.booleans())
def test_each_document_is_named_once_and_unreadable_ones_are_left_alone(
    local: dict[DocumentId, ContentHash],
    known: dict[DocumentId, Outline],
    unreadable: frozenset[DocumentId],
    can_delete: bool,
    confirmed: bool,
) -> None:
    local = {document: content for document, content in local.items() if document not in unreadable}
    found = plan(local, unreadable, known, can_delete=can_delete, confirmed=confirmed)
    named = [action.id for action in found.actions]
    named += [*found.refused, *found.unreadable, *found.held_here, *found.held_there, *found.undeletable]
    assert len(named) == len(set(named))
    assert not unreadable & {action.id for action in found.actions}
    for action in found.actions:
        if isinstance(action, Delete):
            outline = known[action.id]
            assert can_delete and (outline.shadow_hash is not None or outline.unverified)
        if isinstance(action, Fetch) and not known[action.id].is_pending:
            assert not (known[action.id].unverified and known[action.id].base), "it may be what was forgotten there"
    if not found.actions and not unreadable:
        waiting = {*found.refused, *found.held_here, *found.held_there, *found.undeletable}
        for document in {*local, *known} - waiting:
            assert local.get(document) == known.get(document, Outline()).remote_hash


def test_what_was_refused_waits_until_it_is_changed() -> None:
    outline = Outline("1", shadow_hash=A, remote_hash=A, refused=Refused("invalid-document", "", B, remote=A))
    assert one(B, outline).refused == (ID,)
    assert one(C, outline).actions == (Send(ID, created=False),)


def many(outline: Outline, count: int) -> dict[DocumentId, Outline]:
    return {DocumentId(f"d{number}"): outline for number in range(count)}


def test_many_deletions_are_held_until_they_are_confirmed() -> None:
    known = many(Outline("1", shadow_hash=A, remote_hash=A), 100)
    assert len(plan({}, frozenset(), known).held_here) == 100
    assert len(plan({}, frozenset(), known, confirmed=True).actions) == 100
    few = dict.fromkeys([*known][:80], A)
    assert len(plan(few, frozenset(), known).actions) == 20


def test_many_removals_are_held_until_they_are_confirmed() -> None:
    known = many(Outline("1", shadow_hash=A, remote_hash=None), 30)
    local = dict.fromkeys(known, A)
    assert len(plan(local, frozenset(), known).held_there) == 30
    assert len(plan(local, frozenset(), known, confirmed=True).actions) == 30


class TestPending:
    BODY = {"id": "a", "x": 1}  # noqa: RUF012
    HASH = content_hash(BODY)

    def test_created_is_said_only_of_what_is_new(self) -> None:
        send = Send(ID, created=True)
        assert pending_for(send, Record(), self.BODY, agreed_once=True) == Pending(self.BODY, self.HASH, CREATED)
        for record, whole in ((Record(), False), (Record(Outline(remote_hash=A)), True)):
            found = pending_for(send, record, self.BODY, agreed_once=whole)
            assert found == Pending(self.BODY, self.HASH, self.HASH, None, attach=True)

    def test_an_edit_names_its_base(self) -> None:
        shadow = {"id": "a"}
        record = Record(Outline("7", shadow_hash=A, remote_hash=B), shadow)
        assert pending_for(Send(ID, False), record, self.BODY, agreed_once=True) == Pending(
            self.BODY, self.HASH, "7", shadow
        )

    def test_an_edit_of_what_was_deleted_brings_its_base_along(self) -> None:
        shadow = {"id": "a"}
        record = Record(Outline("7-x-deleted", gone=True, shadow_hash=A), shadow)
        found = pending_for(Send(ID, False), record, self.BODY, agreed_once=True)
        assert found is not None and found.attach

    def test_a_deletion_says_what_the_deleter_saw(self) -> None:
        record = Record(Outline("7", shadow_hash=A, remote_hash=A), {"id": "a", "x": 1})
        found = pending_for(Delete(ID), record, None, agreed_once=True)
        assert found is not None and found.deletes
        assert found.body == {"id": "a", "x": 1, DELETED_KEY: True}
