"""What client/sync/upstream.py promises, held against every driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.sync.engine.records import Pending, Refused, UpstreamAnswer, UpstreamReply
from client.sync.upstream import Copyable, CursorGoneError, Outgoing, Upstream
from shared.codec import content_hash
from shared.core.documents import Body, DocumentId
from shared.core.json.canonical import canonical
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import DELETED_KEY
from tests.contract import upstreams
from tests.contract.upstreams import Driver
from tests.patience import PATIENCE_SECONDS

ID = DocumentId("pb67wndxge8293xd")
OF_ANOTHER_LIFE = {"http": "since:another.7", "folder": "another.7", "git": "7" * 40, "mongodb": "another-7"}


@pytest.fixture(params=["folder", "git", "http", "mongodb"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    if request.param == "folder":
        return upstreams.directory(tmp_path / "shared")
    if request.param == "git":
        return upstreams.repository(tmp_path)
    if request.param == "mongodb":
        return upstreams.database(request.getfixturevalue("server"))
    return upstreams.server(request.getfixturevalue("server"))


def on(driver: Driver, device: str, work: Callable[[Upstream], Any]) -> Any:
    """The result of `work` on the device's upstream, opened again."""

    async def run() -> Any:
        upstream = driver.opened(device)
        try:
            await upstream.changes(None)
            return await work(upstream)
        finally:
            await upstream.close()

    return asyncio.run(run())


def document(**fields: Any) -> Body:
    return {"id": ID, **fields}


def submit(driver: Driver, device: str, *outgoing: Outgoing) -> dict[DocumentId, UpstreamReply]:
    async def work(upstream: Upstream) -> dict[DocumentId, UpstreamReply]:
        replies: dict[DocumentId, UpstreamReply] = {}
        async for portion in upstream.submit(outgoing):
            replies.update(portion)
        return replies

    found = on(driver, device, work)
    assert isinstance(found, dict)
    return found


def send(driver: Driver, device: str, body: Body, base: str, shadow: Body | None = None) -> UpstreamAnswer:
    pending = Pending(body, content_hash(body), base, shadow)
    reply = submit(driver, device, Outgoing(DocumentId(body["id"]), pending))[DocumentId(body["id"])]
    assert isinstance(reply, UpstreamAnswer), reply
    return reply


def fetch(driver: Driver, device: str = "other") -> UpstreamAnswer:
    reply = submit(driver, device, Outgoing(ID))[ID]
    assert isinstance(reply, UpstreamAnswer), reply
    return reply


def test_what_is_sent_is_there_for_others(driver: Driver) -> None:
    body = document(text="of the first device", n=1.5)
    answer = send(driver, "a", body, CREATED)
    assert (answer.state, answer.hash) == (body, content_hash(body))
    assert answer.rev not in (None, CREATED)
    assert fetch(driver) == fetch(driver, "a")
    assert fetch(driver).state == body
    assert fetch(driver).rev == answer.rev


def test_numbers_of_every_size_come_back_equal(driver: Driver) -> None:
    """Stored as a file, in a ledger or as BSON; the hash is that of RFC 8785 in any case."""
    numbers = [1e17, 2.0**53, -(2.0**63), 2**53 - 1, -0.0, 0, 1.0, 5e-324, 1.7976931348623157e308, 1e21, 0.1]
    body = document(numbers=numbers)
    answer = send(driver, "a", body, CREATED)
    assert answer.hash == content_hash(body)
    for device in ("a", "other"):
        found = fetch(driver, device)
        assert found.state is not None
        assert found.hash == content_hash(found.state) == content_hash(body)
        assert canonical(found.state) == canonical(body)
    changes = on(driver, "other", lambda upstream: upstream.changes(None))
    assert changes.hashes == {ID: content_hash(body)}


def test_what_never_was_is_told_from_what_was_deleted(driver: Driver) -> None:
    assert (fetch(driver).state, fetch(driver).rev) == (None, CREATED)
    body = document(text="short lived")
    answer = send(driver, "a", body, CREATED)
    assert answer.rev is not None
    gone = send(driver, "a", {**body, DELETED_KEY: True}, answer.rev, body)
    assert gone.state is None and gone.rev not in (None, CREATED, answer.rev)
    assert fetch(driver).state is None and fetch(driver).rev == gone.rev


def test_changes_since_a_cursor_are_all_changes(driver: Driver) -> None:
    async def look(upstream: Upstream, cursor: str | None = None) -> Any:
        return await upstream.changes(cursor)

    before = on(driver, "a", look)
    assert before.is_complete and before.hashes == {}
    first = document(text="one")
    answer = send(driver, "a", first, CREATED)
    now = on(driver, "b", lambda upstream: look(upstream, before.cursor))
    assert dict(now.hashes) == {ID: content_hash(first)}
    again = on(driver, "b", lambda upstream: look(upstream, now.cursor))
    assert not again.is_complete or again.hashes == now.hashes
    assert answer.rev is not None
    send(driver, "a", {**first, DELETED_KEY: True}, answer.rev, first)
    after = on(driver, "b", lambda upstream: look(upstream, now.cursor))
    assert dict(after.hashes) == ({} if after.is_complete else {ID: None})
    whole = on(driver, "b", look)
    assert whole.is_complete and dict(whole.hashes) == {}


def test_a_cursor_of_another_life_is_no_cursor(driver: Driver) -> None:
    async def look(upstream: Upstream) -> Any:
        try:
            return await upstream.changes(OF_ANOTHER_LIFE[driver.name])
        except CursorGoneError:
            return None

    found = on(driver, "a", look)
    assert found is None or found.is_complete


def test_edits_of_both_are_merged(driver: Driver) -> None:
    base = document(a=1, b=1)
    answer = send(driver, "a", base, CREATED)
    assert answer.rev is not None
    send(driver, "a", document(a=2, b=1), answer.rev, base)
    merged = send(driver, "b", document(a=1, b=2), answer.rev, base)
    assert merged.state == document(a=2, b=2)
    assert merged.outcome == "merged"


def test_a_repeated_state_is_no_edit(driver: Driver) -> None:
    """Its answer was lost, and others went on since."""
    base = document(a=1)
    rev = send(driver, "a", base, CREATED).rev
    assert rev is not None
    mine = document(a=2)
    first = send(driver, "a", mine, rev, base)
    assert first.rev is not None
    send(driver, "b", document(a=3), first.rev, mine)
    again = send(driver, "a", mine, rev, base)
    assert again.state == document(a=3)


def test_an_edit_wins_over_a_deletion_that_had_not_seen_it(driver: Driver) -> None:
    base = document(a=1)
    rev = send(driver, "a", base, CREATED).rev
    assert rev is not None
    send(driver, "b", document(a=1, b="new"), rev, base)
    kept = send(driver, "a", {**base, DELETED_KEY: True}, rev, base)
    assert kept.state == document(a=1, b="new")


def test_who_has_no_base_goes_by_its_content(driver: Driver) -> None:
    old = document(text="a text that is long", n=1)
    rev = send(driver, "a", old, CREATED).rev
    assert rev is not None
    new = document(text="a text that is longer", n=1)
    send(driver, "a", new, rev, old)
    pending = Pending(old, content_hash(old), content_hash(old), None, attach=True)
    reply = submit(driver, "forgetful", Outgoing(ID, pending))[ID]
    assert isinstance(reply, UpstreamAnswer) and reply.state == new


def test_one_that_is_refused_does_not_stop_the_others(driver: Driver) -> None:
    bad = Pending({"id": "bad", "x": "y" * 2_000_000}, content_hash({"id": "bad"}), CREATED)
    good = document(text="good")
    outgoing = [Outgoing(DocumentId("bad"), bad), Outgoing(ID, Pending(good, content_hash(good), CREATED))]
    replies = submit(driver, "a", *outgoing)
    refused = replies[DocumentId("bad")]
    assert isinstance(refused, Refused) and refused.code == "too-large"
    assert isinstance(replies[ID], UpstreamAnswer)


def test_two_that_are_too_large_together_are_refused_and_go_when_one_is_smaller(driver: Driver) -> None:
    base = document(a="", b="")
    rev = send(driver, "a", base, CREATED).rev
    assert rev is not None
    ours = document(a="x" * 700_000, b="")
    large = send(driver, "a", ours, rev, base)
    mine = document(a="", b="y" * 700_000)
    outgoing = Outgoing(ID, Pending(mine, content_hash(mine), rev, base))
    refused = submit(driver, "b", outgoing)[ID]
    assert isinstance(refused, Refused) and refused.code == "too-large"
    assert "the current state has 700" in refused.reason
    assert fetch(driver).state == ours and large.rev is not None
    send(driver, "a", document(a="x", b=""), large.rev, ours)
    merged = submit(driver, "b", outgoing)[ID]
    assert isinstance(merged, UpstreamAnswer) and merged.state == document(a="x", b="y" * 700_000)


def test_many_deletions_wait_until_they_are_confirmed(driver: Driver) -> None:
    bodies: list[Body] = [{"id": f"d-{number}", "n": number} for number in range(30)]

    async def work(
        upstream: Upstream, wanted: list[Outgoing], *, confirmed: bool = False
    ) -> dict[DocumentId, UpstreamReply]:
        replies: dict[DocumentId, UpstreamReply] = {}
        async for portion in upstream.submit(wanted, confirmed=confirmed):
            replies.update(portion)
        return replies

    async def run() -> None:
        upstream = driver.opened("a")
        await upstream.changes(None)
        made = await work(upstream, [Outgoing(b["id"], Pending(b, content_hash(b), CREATED)) for b in bodies])
        revs = {document: reply.rev for document, reply in made.items() if isinstance(reply, UpstreamAnswer)}
        gone = [
            Outgoing(b["id"], Pending(buried, content_hash(buried), revs[b["id"]] or "", b))
            for b in bodies
            for buried in [{**b, DELETED_KEY: True}]
        ]
        held = [one for one, reply in (await work(upstream, gone)).items() if isinstance(reply, Refused)]
        assert len(held) == 10
        left = [one for one in gone if one.id in held]
        again = (await work(upstream, left)).values()
        assert {reply.code for reply in again if isinstance(reply, Refused)} == {"deletions-held"}
        assert all(isinstance(reply, Refused) for reply in again)
        assert all(
            isinstance(reply, UpstreamAnswer) for reply in (await work(upstream, left, confirmed=True)).values()
        )
        assert dict((await upstream.changes(None)).hashes) == {}
        await upstream.close()

    asyncio.run(run())


def test_its_history_is_told(driver: Driver) -> None:
    first = document(text="one")
    rev = send(driver, "a", first, CREATED).rev
    assert rev is not None
    send(driver, "a", document(text="two"), rev, first)
    rows = on(driver, "b", lambda upstream: upstream.history(ID))
    assert [row["hash"] for row in rows] == [content_hash(document(text="two")), content_hash(first)]
    assert on(driver, "b", lambda upstream: upstream.state(ID, content_hash(first))) == first
    assert on(driver, "b", lambda upstream: upstream.history(DocumentId("nothing"))) == []


@pytest.fixture
def _nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers that watch a directory would look by themselves after a while; one that looks would have an end."""
    monkeypatch.setattr("client.upstreams.mongodb.WAIT_SECONDS", 10 * PATIENCE_SECONDS)
    monkeypatch.setattr("client.upstreams.directory.WAIT_SECONDS", 10 * PATIENCE_SECONDS)
    monkeypatch.setattr("client.upstreams.git.POLL_SECONDS", 10 * PATIENCE_SECONDS)


@pytest.mark.usefixtures("_nobody_looks")
def test_waiting_ends_when_something_changes(driver: Driver) -> None:
    async def wait(upstream: Upstream) -> None:
        await upstream.changes(None)
        cursor = (await upstream.changes(None)).cursor
        waiting = asyncio.create_task(upstream.wait(cursor))
        await asyncio.sleep(0.3)  # until it is listening
        other = driver.opened("b")
        body = document(text="news")
        async for _ in other.submit([Outgoing(ID, Pending(body, content_hash(body), CREATED))]):
            pass
        await other.close()
        told = await asyncio.wait_for(waiting, PATIENCE_SECONDS)
        if told is not None:  # then it is what would be answered, and perhaps the states as well
            asked = await upstream.changes(cursor)
            assert (told.hashes, told.cursor, told.is_complete) == (asked.hashes, asked.cursor, False)
            for identity, state in told.states.items():
                assert (state.hash, state.state) == (told.hashes[identity], body)

    on(driver, "a", wait)


@pytest.mark.usefixtures("_nobody_looks")
def test_waiting_ends_for_what_changed_before_it_began(driver: Driver) -> None:
    async def wait(upstream: Upstream) -> None:
        await upstream.changes(None)
        cursor = (await upstream.changes(None)).cursor
        other = driver.opened("b")
        body = document(text="news")
        async for _ in other.submit([Outgoing(ID, Pending(body, content_hash(body), CREATED))]):
            pass
        await other.close()
        await asyncio.wait_for(upstream.wait(cursor), PATIENCE_SECONDS)

    on(driver, "a", wait)


def test_a_copy_is_everything_with_its_states(driver: Driver) -> None:
    bodies: list[Body] = [{"id": f"d-{number}", "n": number} for number in range(5)]
    for body in bodies:
        send(driver, "a", body, CREATED)
    first = send(driver, "a", document(), CREATED)
    assert first.rev is not None
    send(driver, "a", {**document(), DELETED_KEY: True}, first.rev, document())

    async def copy(upstream: Upstream) -> None:
        if not isinstance(upstream, Copyable):
            pytest.skip("it shows no copy")
        pages = [page async for page in upstream.copy()]
        if not pages:
            pytest.skip("this one shows no copy")
        states = {document: state for page in pages for document, state in page.states.items()}
        assert {document: state.hash for document, state in states.items()} == {
            body["id"]: content_hash(body) for body in bodies
        }
        assert [states[DocumentId(body["id"])].state for body in bodies] == bodies
        # A rev that came so is a base like any other.
        base = states[DocumentId("d-0")].rev
        assert base is not None
        edited = Pending({**bodies[0], "edited": True}, content_hash({**bodies[0], "edited": True}), base)
        replies = [
            r async for portion in upstream.submit([Outgoing(DocumentId("d-0"), edited)]) for r in portion.values()
        ]
        assert isinstance(replies[0], UpstreamAnswer) and replies[0].state == edited.body
        since = await upstream.changes(pages[0].cursor)
        assert set(since.hashes) == {"d-0"} and not since.is_complete

    on(driver, "b", copy)
