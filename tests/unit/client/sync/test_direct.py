"""The laws of client.sync.direct, against a v1.0 server in memory."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.formats.taskwarrior_fields import from_taskwarrior, keep_computed
from client.sync.direct import MAX_ROUNDS, SendOutcome, SendReport, Survey, send, survey
from client.sync.engine.records import Refused
from client.sync.upstream import RefusedAccessError
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.documents import Body, DocumentId
from shared.retry import Backoff
from tests.unit.client.stub_server import StubServer, problem

Documents = Mapping[DocumentId, Body]
A, B, C, D = (DocumentId(name) for name in "abcd")


def doc(name: str, **fields: Any) -> Body:
    return {"id": name, **fields}


@asynccontextmanager
async def to(stub: StubServer) -> AsyncIterator[HttpUpstream]:
    channel = Channel("http://server.example", stub.token, transport=stub.transport, backoff=Backoff(attempts=1))
    upstream = HttpUpstream(channel, {"asked_at": time.time()})
    try:
        yield upstream
    finally:
        await upstream.close()


async def push(stub: StubServer, documents: Documents, **options: Any) -> SendReport:
    async with to(stub) as remote:
        return await send(remote, await survey(remote, documents), **options)


def fates(report: SendReport) -> dict[str, str]:
    return {document: fate.value for document, fate in report.fates.items()}


async def test_each_fate(stub: StubServer) -> None:
    stub.documents = {
        "same": doc("same", x=1),
        "other": doc("other", x=1),
        "merged": doc("merged", theirs=1),
        "not mine": doc("not mine"),
    }
    stub.deleted = {"deleted"}
    stub.refused = {"bad": (422, {"detail": "No.", "code": "invalid-document"})}
    mine = [
        doc("same", x=1),
        doc("other", x=2),
        doc("merged", ours=2),
        doc("new"),
        doc("deleted"),
        doc("bad"),
    ]
    report = await push(stub, {body["id"]: body for body in mine})
    assert fates(report) == {
        "same": "unchanged",
        "other": "updated",
        "merged": "merged",
        "new": "created",
        "deleted": "deleted",
    }
    assert report.refused == {"bad": Refused("invalid-document", "No.")}
    assert not report.complete
    assert report.rounds == 1
    assert stub.documents["merged"] == doc("merged", theirs=1, ours=2)
    assert stub.documents["not mine"] == doc("not mine")
    assert "not mine" not in stub.posts
    assert "same" not in stub.posts


async def test_agreement_costs_one_request(stub: StubServer) -> None:
    stub.documents = {"a": doc("a")}
    report = await push(stub, {A: doc("a")})
    assert stub.log == ["GET /hashes"]
    assert (fates(report), report.rounds, report.complete) == ({"a": "unchanged"}, 0, True)


async def test_nothing_to_push(stub: StubServer) -> None:
    stub.documents = {"a": doc("a")}
    assert (await push(stub, {})).complete
    assert stub.log == ["GET /hashes"]


async def test_a_survey_changes_nothing_and_names_what_a_push_does(stub: StubServer) -> None:
    stub.documents = {"a": doc("a"), "b": doc("b"), "z": doc("z")}
    mine = {A: doc("a"), B: doc("b", x=1), C: doc("c")}
    async with to(stub) as remote:
        intent = await survey(remote, mine)
    assert (intent.missing, intent.differing, intent.unchanged) == ((C,), (B,), 1)
    assert stub.log == ["GET /hashes"]


async def test_who_writes_meanwhile_is_asked_about_again(stub: StubServer) -> None:
    edits = iter([1])

    def another_device_edits(document: str) -> None:
        if next(edits, None):
            stub.documents["a"] = {**stub.documents["a"], "meanwhile": True}

    stub.after_post = another_device_edits
    report = await push(stub, {A: doc("a", x=1)})
    assert (fates(report), report.rounds, report.complete) == ({"a": "created"}, 2, True)
    assert stub.documents["a"] == doc("a", x=1, meanwhile=True)


async def test_rounds_are_bounded(stub: StubServer) -> None:
    counter = iter(range(1000))

    def another_device_never_rests(document: str) -> None:
        stub.documents["a"] = {**stub.documents["a"], "n": next(counter)}

    stub.after_post = another_device_never_rests
    report = await push(stub, {A: doc("a"), B: doc("b")})
    assert (report.unsettled, report.rounds, report.complete) == ((A,), MAX_ROUNDS, False)
    assert fates(report) == {"a": "created", "b": "created"}


async def test_what_is_deleted_meanwhile_is_not_brought_back_for_ever(stub: StubServer) -> None:
    def another_device_deletes(document: str) -> None:
        stub.documents.pop(document, None)
        stub.deleted.add(document)

    stub.after_post = another_device_deletes
    report = await push(stub, {A: doc("a")})
    assert (fates(report), report.complete) == ({"a": "deleted"}, True)


async def test_an_error_stops_it_and_the_next_push_goes_on_from_there(stub: StubServer) -> None:
    mine = {DocumentId(f"d{i:03}"): doc(f"d{i:03}") for i in range(100)}
    stub.trouble = lambda request: problem(401, "unauthenticated", "Revoked.") if len(stub.documents) >= 40 else None
    with pytest.raises(RefusedAccessError, match="revoked"):
        await push(stub, mine)
    assert len(stub.documents) == 40
    stub.trouble = lambda request: None
    stub.log.clear()
    report = await push(stub, mine)
    assert len(stub.posts) == 60
    assert (report.count(SendOutcome.UNCHANGED), report.count(SendOutcome.CREATED)) == (40, 60)


async def test_progress_reaches_the_end_once(stub: StubServer) -> None:
    steps: list[tuple[int, int]] = []
    stub.refused = {"d3": (422, {})}
    stub.deleted = {"d4"}
    mine = {DocumentId(f"d{i}"): doc(f"d{i}") for i in range(10)}
    await push(stub, mine, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 10) for i in range(1, 11)]


async def test_a_fault_of_the_server_concerns_one_document(stub: StubServer) -> None:
    stub.refused = {"b": (500, {"detail": "Broken.", "code": "internal"})}
    report = await push(stub, {A: doc("a"), B: doc("b")})
    assert fates(report) == {"a": "created"} and not report.complete
    assert report.refused == {"b": Refused("unanswered", "Broken.")}
    assert stub.documents == {"a": doc("a")}


bodies = st.fixed_dictionaries({}, optional={name: st.integers(0, 2) for name in "xyz"})
states = st.dictionaries(st.sampled_from("abcdef"), bodies)


@settings(deadline=None)
@given(
    mine=states, theirs=states, deleted=st.sets(st.sampled_from("abcdef")), refused=st.sets(st.sampled_from("abc"))
)
async def test_laws(mine: dict[str, Body], theirs: dict[str, Body], deleted: set[str], refused: set[str]) -> None:
    stub = StubServer(
        documents={name: doc(name, **body) for name, body in theirs.items() if name not in deleted},
        deleted=deleted,
        refused={name: (422, {}) for name in refused},
    )
    others = {name: body for name, body in stub.documents.items() if name not in mine}
    own = {DocumentId(name): doc(name, **body) for name, body in mine.items()}
    report = await push(stub, own)
    assert report.fates.keys() | report.refused.keys() == own.keys()
    assert not report.fates.keys() & report.refused.keys()
    assert report.refused.keys() <= refused
    assert {name: body for name, body in stub.documents.items() if name not in mine} == others
    for name, fate in report.fates.items():
        if fate in (SendOutcome.CREATED, SendOutcome.UPDATED, SendOutcome.UNCHANGED):
            assert stub.documents[name] == own[name]
        elif fate is SendOutcome.MERGED:
            assert own[name].items() <= stub.documents[name].items()
        else:
            assert name not in stub.documents
    assert not report.unsettled


# --- reconciling: Taskwarrior's own numbers ----------------------------------------------------------------

UUID = "2b7b3f5c-8a39-4d9a-9d7e-2f7e4f0f8a11"


def exported(modified: str, **attributes: Any) -> dict[DocumentId, Body]:
    body = from_taskwarrior({"uuid": UUID, "modified": modified, **attributes})
    return {DocumentId(UUID): body}


async def import_into(stub: StubServer, documents: Documents) -> tuple[Survey, SendReport]:
    async with to(stub) as remote:
        intent = await survey(remote, documents, reconcile=keep_computed)
        return intent, await send(remote, intent)


async def test_an_export_without_edits_changes_nothing(stub: StubServer) -> None:
    await import_into(stub, exported("20260101T000000Z", id=1, urgency=1.0))
    before = dict(stub.documents)
    intent, report = await import_into(stub, exported("20260101T000000Z", id=2, urgency=1.25))
    assert (intent.differing, fates(report), stub.documents) == ((), {UUID: "unchanged"}, before)


async def test_an_edit_is_sent_with_its_numbers(stub: StubServer) -> None:
    await import_into(stub, exported("20260101T000000Z", id=1, urgency=1.0, description="a"))
    _, report = await import_into(stub, exported("20260102T000000Z", id=2, urgency=1.25, description="b"))
    assert fates(report) == {UUID: "updated"}
    assert stub.documents[UUID]["urgency"] == 1.25
    assert stub.documents[UUID]["description"] == "b"


async def test_what_is_gone_when_it_is_read_is_sent_as_it_is(stub: StubServer) -> None:
    await import_into(stub, exported("20260101T000000Z", urgency=1.0))

    def gone(request: httpx.Request) -> None:
        if request.method == "POST" and json.loads(request.content)["client_state"] is None:
            stub.documents.clear()

    stub.trouble = gone
    _, report = await import_into(stub, exported("20260101T000000Z", urgency=2.0))
    assert stub.documents[UUID]["urgency"] == 2.0
    assert report.complete
