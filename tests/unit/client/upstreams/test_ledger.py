"""What directories and repositories keep beside the documents: history, policies, what devices deleted."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.sync.engine.records import Pending, UpstreamAnswer
from client.sync.upstream import NotAnUpstreamError, Outgoing, Upstream
from client.upstreams import ledger
from client.upstreams.directory import FolderUpstream
from client.upstreams.git import GitUpstream
from client.upstreams.ledger_store import LedgerStore
from shared.adapters.memory import Entry, HistoryItem, Provenance, SpaceChanges
from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, SequenceNumber
from shared.core.index.lineage import Begun, Lineage
from shared.core.merge.policies import NO_POLICIES, parse
from shared.core.resolution.context import Head
from shared.core.resolution.deletion_guard import Deletions
from shared.core.resolution.revs import CREATED

ID = DocumentId("a")
WHO = Provenance("device", 1.0, "applied", "new")


@dataclass
class Place:
    upstream: Callable[[str], Upstream]
    write: Callable[[str, str], None]
    """A file of the upstream, by its path, as people write it."""
    policies: str


@pytest.fixture(params=["folder", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        root = tmp_path / "shared"

        def write(path: str, text: str) -> None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

        return Place(
            lambda name: FolderUpstream(root, {"device": name}, device=name, make=True),
            write,
            ".hypertask/upstream/policies.json",
        )
    bare, work = tmp_path / "shared.git", tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    subprocess.run(["git", "clone", "-q", str(bare), str(work)], check=True, capture_output=True)
    git = ["git", "-C", str(work), "-c", "user.name=p", "-c", "user.email=p@p.invalid"]

    def commit(path: str, text: str) -> None:
        subprocess.run([*git, "pull", "-q", "origin", "main"], capture_output=True)
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "by hand"], check=True)
        subprocess.run([*git, "push", "-q", "origin", "HEAD:main"], check=True)

    return Place(
        lambda name: GitUpstream(f"file://{bare}", tmp_path / name, {"device": name}, device=name),
        commit,
        ".hypertask/policies.json",
    )


def send(place: Place, body: Body | None, base: str = CREATED, device: str = "d") -> UpstreamAnswer:
    """`body` None: asks for what is there."""

    async def run() -> UpstreamAnswer:
        upstream = place.upstream(device)
        await upstream.changes(None)
        pending = Pending(body, content_hash(body), base) if body is not None else None
        replies = [r async for portion in upstream.submit([Outgoing(ID, pending)]) for r in portion.values()]
        assert isinstance(replies[0], UpstreamAnswer), replies
        return replies[0]

    return asyncio.run(run())


def test_policies_are_a_file_that_people_write(place: Place) -> None:
    rev = send(place, {"id": "a", "n": 1, "m": 1}).rev
    assert rev is not None
    place.write(place.policies, '{"/n": "max"}')
    assert asyncio.run(place.upstream("d").policies()) == parse({"/n": "max"})
    send(place, {"id": "a", "n": 9, "m": 1}, rev)
    assert send(place, {"id": "a", "n": 5, "m": 2}, rev, "other").state == {"id": "a", "n": 9, "m": 2}


def test_without_valid_policies_nothing_is_decided(place: Place) -> None:
    send(place, {"id": "a", "n": 1})
    place.write(place.policies, '{"/n": "maximum"}')
    with pytest.raises(NotAnUpstreamError, match=r"policies\.json.*unknown strategy"):
        send(place, {"id": "a", "n": 2})
    place.write(place.policies, "{}")
    assert send(place, None).state == {"id": "a", "n": 1}


def item(number: int, body: Body | None) -> HistoryItem:
    content = content_hash(body) if body is not None else ContentHash("0" * 32)
    return HistoryItem(SequenceNumber(number), content, body, SequenceNumber(number + 1), WHO)


def test_of_a_long_history_the_newest_is_kept() -> None:
    past = tuple(item(n, {"id": "a", "n": n}) for n in range(1, 201))
    kept = ledger.retained(Entry(Head(SequenceNumber(201), ContentHash("1" * 32), {"id": "a"}, 1.0), WHO, past)).past
    assert [one.sequence for one in kept] == list(range(201 - ledger.PAST, 201))
    assert [one.body is not None for one in kept] == [False] * (ledger.PAST - ledger.BODIES) + [True] * ledger.BODIES


@pytest.mark.parametrize("since", [20, 200])
def test_the_body_that_a_tombstone_buried_is_kept(since: int) -> None:
    """However many states were received since then."""
    buried = {"id": "a", "text": "of old"}
    past = (item(1, buried), *(item(n, {"id": "a", "n": n}) for n in range(2, 2 + since)))
    tombstone = Head(SequenceNumber(2 + since), content_hash(buried), None, 1.0)
    kept = ledger.retained(Entry(tombstone, WHO, past)).past
    assert len(kept) <= ledger.PAST
    assert [one.body for one in kept if one.hash == content_hash(buried)] == [buried]
    assert ledger.retained(Entry(tombstone, WHO, kept)).past == kept


def test_a_ledger_of_an_earlier_release_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    store = LedgerStore.of(path, NO_POLICIES)
    entry = Entry(Head(SequenceNumber(1), content_hash({"id": "a"}), {"id": "a"}, 1.0), WHO)
    with store.transaction():
        first = store.lineage().first
        store.store(SpaceChanges({ID: entry}, SequenceNumber(1)))
    store.close()
    with sqlite3.connect(path) as before:
        for table in ("deletions", "tip", "history"):
            before.execute(f"DROP TABLE {table}")
    store = LedgerStore.of(path, NO_POLICIES)
    assert (store.entry(ID), store.live(), store.deletions(DeviceId("d"))) == (entry, 1, None)
    assert store.lineage() == Lineage((Begun(first, SequenceNumber(1)),), SequenceNumber(1))
    assert store.sequence_of(store.position()) == 1
    assert store.sequence_of(f"{first}.1") is None, "cursors of an earlier release get all of the ledger"
    with store.transaction():
        store.store(SpaceChanges(deletions={DeviceId("d"): Deletions(1.0, 2)}))
    assert store.deletions(DeviceId("d")) == Deletions(1.0, 2)
    store.close()
