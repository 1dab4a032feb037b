"""RxDB, as it is published, replicated with a real server: each peer is a Node process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import node
import pytest

from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS


class Peer:
    """An application with RxDB."""

    def __init__(self, sdk: node.Node, build: Path, access: Access) -> None:
        self.access = access
        self._process = subprocess.Popen(
            [sdk.node, str(build / "test" / "rxdb" / "peer.js")],
            env={**sdk.environ(), "HYPERTASK_URL": access.url, "HYPERTASK_TOKEN": access.token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == {}

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the peer has ended"
        answer = json.loads(line)
        assert not isinstance(answer, dict) or "error" not in answer, answer
        return answer

    def tell(self, op: str, id: str = "", **given: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, "id": id, **given}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> list[str]:
        errors: list[str] = self.tell("close")["errors"]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(PATIENCE_SECONDS) == 0
        return errors


@pytest.fixture(scope="module")
def peers(sdk: node.Node, build: Path, server: Instance) -> Iterator[tuple[Peer, Peer]]:
    access = server.access(name="one")
    other = server.access(space=access.space, user=access.user, name="two")
    one, two = Peer(sdk, build, access), Peer(sdk, build, other)
    yield one, two
    assert [*one.close(), *two.close()] == []


def test_concurrent_edits_of_different_fields_are_both_there(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.tell("insert", doc={"id": "a", "title": "milk", "notes": "", "tags": ["x", "y"], "count": 1})
    two.tell("until", "a", fields={"title": "milk"})
    for peer in peers:
        peer.tell("offline")
    one.tell("patch", "a", fields={"title": "oat milk", "tags": ["x", "y", "one"]})
    two.tell("patch", "a", fields={"notes": "two bottles", "tags": ["y", "two"]})
    for peer in peers:
        peer.tell("online")
    wanted = {"title": "oat milk", "notes": "two bottles", "count": 1}
    for peer in peers:
        peer.tell("until", "a", fields=wanted)
    found = [peer.tell("get", "a") for peer in peers]
    assert found[0] == found[1]
    assert set(found[0]["tags"]) == {"y", "one", "two"}


def test_what_one_creates_edits_and_removes_the_other_sees_as_it_happens(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.tell("insert", doc={"id": "b", "title": "roof"})
    two.tell("until", "b", fields={"title": "roof"})
    two.tell("patch", "b", fields={"count": 7})
    one.tell("until", "b", fields={"title": "roof", "count": 7})
    one.tell("remove", "b")
    two.tell("until", "b")
    assert httpx.get(f"{one.access.url}/hashes", headers=one.access.headers).json().keys().isdisjoint("b")
    two.tell("insert", doc={"id": "b", "title": "made again"})
    one.tell("until", "b", fields={"title": "made again"})


def test_an_edit_that_a_deletion_had_not_seen_wins(peers: tuple[Peer, Peer]) -> None:
    one, two = peers
    one.tell("insert", doc={"id": "c", "title": "garden"})
    two.tell("until", "c", fields={"title": "garden"})
    two.tell("offline")
    two.tell("patch", "c", fields={"notes": "unseen"})
    one.tell("remove", "c")
    one.tell("get", "c")
    two.tell("online")
    for peer in peers:
        peer.tell("until", "c", fields={"title": "garden", "notes": "unseen"})
