"""Two devices, the stock v1.0 loop and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.core.json.canonical import content_hash
from tests.instance import Access, Instance

MAX_ROUNDS = 3


class Device:
    """The five steps of the protocol page. A deletion is the state with the mark."""

    def __init__(self, access: Access) -> None:
        self._http = httpx.Client(base_url=access.url, headers=access.headers)
        self.documents: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()

    def close(self) -> None:
        self._http.close()

    def edit(self, identity: str, **fields: Any) -> None:
        self.documents[identity] = {**self.documents.get(identity, {"id": identity}), **fields}

    def delete(self, identity: str) -> None:
        del self.documents[identity]
        self.deleted.add(identity)

    def sync(self) -> int:
        """Rounds in which something was posted."""
        for done in range(MAX_ROUNDS):
            theirs = self._http.get("/hashes").raise_for_status().json()
            mine = {identity: content_hash(body) for identity, body in self.documents.items()}
            differing = [i for i in sorted(mine.keys() | theirs.keys()) if mine.get(i) != theirs.get(i)]
            if not differing:
                return done
            for identity in differing:
                self.post(identity)
        raise AssertionError("no agreement")

    def post(self, identity: str) -> None:
        state: dict[str, Any] | None = self.documents.get(identity)
        if identity in self.deleted:
            state = {"id": identity, "_deleted": True}
        answer = self._http.post(f"/task/{identity}", json={"client_state": state}).raise_for_status().json()
        self.deleted.discard(identity)
        if answer["server_state"] is None:
            self.documents.pop(identity, None)
        else:
            self.documents[identity] = answer["server_state"]


@pytest.fixture
def devices(server: Instance) -> Iterator[tuple[Device, Device]]:
    """Two devices of one space that agree on one task."""
    one = server.access(name="one")
    first, second = Device(one), Device(server.access(space=one.space, name="two"))
    first.edit("task", title="Buy some milk", done=False, tags=["home"])
    first.edit("other", title="Something else")
    first.sync()
    second.sync()
    assert first.documents == second.documents
    yield first, second
    first.close()
    second.close()


def test_a_device_that_agreed_since_a_merge_may_delete_what_was_merged(devices: tuple[Device, Device]) -> None:
    first, second = devices
    first.edit("task", title="Buy some oat milk")
    second.edit("task", done=True)
    for device in (first, second, first):
        device.sync()
    # Its last round showed that it has what the map lists.
    second.delete("task")
    second.sync()
    assert "task" not in second.documents
    first.sync()
    assert "task" not in first.documents


def test_a_device_that_may_not_have_seen_the_merge_does_not_delete_it(devices: tuple[Device, Device]) -> None:
    first, second = devices
    first.edit("task", title="Buy some oat milk")
    second.edit("task", done=True)
    first.sync()
    second.post("task")
    second.delete("task")  # no map since: the answer may have been lost on the way
    second.post("task")
    assert second.documents["task"]["title"] == "Buy some oat milk"


def test_edits_of_different_fields_are_both_there(devices: tuple[Device, Device]) -> None:
    first, second = devices
    first.edit("task", title="Buy some oat milk")
    second.edit("task", done=True, tags=["home", "shopping"])
    for device in (first, second, first):
        assert device.sync() <= 2
    wanted = {"id": "task", "title": "Buy some oat milk", "done": True, "tags": ["home", "shopping"]}
    assert first.documents["task"] == second.documents["task"] == wanted


def test_a_task_deleted_on_one_and_untouched_on_the_other_is_gone_and_stays_gone(
    devices: tuple[Device, Device],
) -> None:
    first, second = devices
    first.delete("task")
    for _ in range(3):
        for device in (first, second):
            assert device.sync() <= 2
            assert "task" not in device.documents
    assert first.documents == second.documents == {"other": {"id": "other", "title": "Something else"}}


@pytest.mark.parametrize("deleter_first", [True, False])
def test_deleted_on_one_and_edited_on_the_other_survives_with_the_edit(
    devices: tuple[Device, Device], deleter_first: bool
) -> None:
    first, second = devices
    first.delete("task")
    second.edit("task", title="Buy a lot of milk")
    for device in (first, second, first) if deleter_first else (second, first, second):
        assert device.sync() <= 2
    assert first.documents == second.documents
    assert first.documents["task"]["title"] == "Buy a lot of milk"


def test_the_same_task_posted_ten_times_makes_one_revision(access: Access) -> None:
    body = {"client_state": {"id": "task", "title": "Buy some milk"}}
    for _ in range(10):
        answer = httpx.post(f"{access.url}/task/task", json=body, headers=access.headers)
        assert answer.json() == {"server_state": body["client_state"]}
    found = httpx.get(f"{access.url}/task/task/revisions", headers=access.headers).json()["revisions"]
    assert len(found) == 1
