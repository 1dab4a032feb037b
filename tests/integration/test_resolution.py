"""What a v1.0 client is answered, and what MongoDB holds afterwards.

Only what the protocol promises, whatever rules decide the rest.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.settings import Settings
from tests.instance import Access, Instance
from tests.integration.truth import Truth, content_hash, truth

Document = dict[str, Any]


class Device:
    def __init__(self, access: Access) -> None:
        self._access = access

    def post(self, document: str, state: Document | None) -> Document | None:
        """The server's state. A v1.0 answer holds nothing else."""
        answer = httpx.post(
            f"{self._access.url}/task/{document}", json={"client_state": state}, headers=self._access.headers
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.json().keys() == {"server_state"}
        found: Document | None = answer.json()["server_state"]
        return found

    def put(self, state: Document) -> Document:
        answer = self.post(state["id"], state)
        assert answer is not None
        return answer

    def hashes(self) -> dict[str, str]:
        answer = httpx.get(f"{self._access.url}/hashes", headers=self._access.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found


@pytest.fixture
def devices(server: Instance) -> list[Device]:
    """Three devices of one space."""
    first = server.access()
    return [Device(first), *(Device(server.access(space=first.space)) for _ in range(2))]


@pytest.fixture
def a(devices: list[Device]) -> Device:
    return devices[0]


@pytest.fixture
def b(devices: list[Device]) -> Device:
    return devices[1]


@pytest.fixture
def held(a: Device, settings: Settings) -> Any:
    """Asks for what MongoDB holds of the space."""

    def ask() -> Truth:
        found = truth(settings, a._access.space)
        found.check()
        assert found.hash_map == a.hashes()
        return found

    return ask


V1 = {"id": "d", "title": "the first title", "done": False}
V2 = {"id": "d", "title": "another title", "done": True, "more": [1, 2]}


def test_equal_is_unchanged(a: Device, b: Device, held: Any) -> None:
    assert a.put(V1) == V1
    before = held()
    again = {"done": False, "title": V1["title"], "id": "d"}  # in another order it is the same
    assert b.put(again) == V1
    assert held() == before


def test_one_and_one_point_zero_are_equal(a: Device, b: Device, held: Any) -> None:
    a.put({"id": "d", "n": 1, "zero": 0})
    before = held()
    assert b.put({"id": "d", "n": 1.0, "zero": -0.0}) == {"id": "d", "n": 1, "zero": 0}
    assert held() == before


def test_what_the_server_lacks_it_takes(a: Device, b: Device, held: Any) -> None:
    assert a.hashes() == {}
    assert a.put(V1) == V1
    assert b.hashes() == {"d": content_hash(V1)}
    assert b.post("d", None) == V1
    assert held().bodies == {"d": V1}


def test_null_is_answered_and_never_deletes(a: Device, b: Device, held: Any) -> None:
    assert a.post("d", None) is None
    assert held().sequence == 0
    a.put(V1)
    before = held()
    for device in (a, b, a):
        assert device.post("d", None) == V1
    assert b.post("other", None) is None
    assert held() == before


def test_an_edit_goes_ahead(a: Device, b: Device, held: Any) -> None:
    a.put(V1)
    edited = {**V1, "title": "a title that was edited"}
    assert a.put(edited) == edited
    assert b.post("d", None) == edited
    assert [row["body"] for row in held().history("d")] == [V1, edited]


def test_repeating_makes_no_new_revision(a: Device, held: Any) -> None:
    for _ in range(10):
        assert a.put(V1) == V1
    assert [row["body"] for row in held().history("d")] == [V1]
    assert held().sequence == 1
    edited = {**V1, "done": True}
    for _ in range(10):
        assert a.put(edited) == edited
    assert [row["body"] for row in held().history("d")] == [V1, edited]
    assert held().sequence == 2


def test_repeating_what_is_merged_makes_no_new_revision(a: Device, b: Device, held: Any) -> None:
    a.put({"id": "d", "from_a": "the words of a"})
    merged = b.put({"id": "d", "from_b": "the words of b"})
    before = held()
    for _ in range(10):
        assert b.put({"id": "d", "from_b": "the words of b"}) == merged
    assert held() == before


def test_the_answer_posted_back_is_a_no_op(a: Device, b: Device, devices: list[Device], held: Any) -> None:
    a.put(V1)
    a.put(V2)
    answer = b.put({"id": "d", "words": "only b has these"})
    before = held()
    for device in devices:
        assert device.put(answer) == answer
    assert held() == before


def test_an_older_revision_is_answered_with_the_state_now(a: Device, b: Device, held: Any) -> None:
    a.put(V1)
    assert b.post("d", None) == V1
    a.put(V2)
    before = held()
    assert before.bodies["d"] == V2
    assert b.put(V1) == V2
    assert held() == before
    assert b.put(V2) == V2


def test_a_device_that_is_several_revisions_behind(a: Device, b: Device, devices: list[Device], held: Any) -> None:
    states = [{"id": "d", "title": f"title number {n}", "n": n} for n in range(5)]
    for state in states:
        assert a.put(state) == state
    before = held()
    for state in states[:-1]:
        fresh = devices[2] if state is states[0] else b
        assert fresh.put(state) == states[-1]
    after = held()
    assert (after.sequence, after.bodies, after.received) == (before.sequence, before.bodies, before.received)
    assert [row["body"] for row in before.history("d")] == states


def test_fields_that_two_devices_added_are_both_kept(a: Device, b: Device, devices: list[Device], held: Any) -> None:
    base = {"id": "d", "title": "what both of them know"}
    a.put(base)
    assert b.post("d", None) == base
    by_a = {**base, "from_a": "the words of a", "list_of_a": ["x", "y"]}
    by_b = {**base, "from_b": "the words of b", "more_of_b": {"deep": "inside of b"}}
    assert a.put(by_a) == by_a
    union = {**by_a, **by_b}
    assert b.put(by_b) == union
    for device in devices:
        assert device.post("d", None) == union
    assert a.put(by_a) == union  # a is behind now
    assert held().bodies == {"d": union}
    assert by_b in [row["body"] for row in held().received]  # what arrived stays readable


@pytest.mark.parametrize("value", [1, "the words of a"], ids=["weak", "strong"])
def test_who_edits_on_without_the_answer_undoes_nothing_of_others(
    a: Device, b: Device, held: Any, value: Any
) -> None:
    """b is offline or its answer was lost: it edits what it sent last, and knows nothing of a's edit."""
    base = {"id": "d", "of_a": 0, "of_b": 0}
    a.put(base)
    assert b.post("d", None) == base
    a.put({**base, "of_a": value})
    for n in range(1, 4):
        assert b.put({**base, "of_b": n}) == {"id": "d", "of_a": value, "of_b": n}
    assert a.put({**base, "of_a": value, "more": n}) == {"id": "d", "of_a": value, "of_b": n, "more": n}
    assert held().bodies == {"d": {"id": "d", "of_a": value, "of_b": n, "more": n}}


def test_documents_that_were_made_apart_are_both_kept(a: Device, b: Device, held: Any) -> None:
    a.put({"id": "d", "from_a": "the words of a"})
    union = {"id": "d", "from_a": "the words of a", "from_b": "the words of b"}
    assert b.put({"id": "d", "from_b": "the words of b"}) == union
    assert a.post("d", None) == union


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_one_field_edited_twice_the_newer_stands_whoever_comes_first(
    a: Device, b: Device, held: Any, newer_first: bool
) -> None:
    base = {"id": "d", "title": "what both know", "updated_at": "2026-01-01T10:00:00Z"}
    a.put(base)
    b.post("d", None)
    older = {**base, "title": "the older title", "updated_at": "2026-01-01T11:00:00Z"}
    newer = {**base, "title": "the newer title", "updated_at": "2026-01-01T12:00:00+00:00"}
    first, second = (newer, older) if newer_first else (older, newer)
    a.put(first)
    assert b.put(second)["title"] == "the newer title"
    titles = {row["body"]["title"] for row in (*held().history("d"), *held().received)}
    assert titles == {"what both know", "the older title", "the newer title"}  # nothing was lost without trace


def test_a_null_in_a_field_is_a_value(a: Device, b: Device) -> None:
    assert a.put({"id": "d", "field": None}) == {"id": "d", "field": None}
    assert a.put({"id": "d", "field": None, "other": None}) == {"id": "d", "field": None, "other": None}
    assert b.post("d", None) == {"id": "d", "field": None, "other": None}


def test_documents_do_not_touch_each_other(a: Device, b: Device, held: Any) -> None:
    states = {f"d{n}": {"id": f"d{n}", "n": n} for n in range(20)}
    for number, state in enumerate(states.values()):
        (a, b)[number % 2].put(state)
    assert held().bodies == states
    assert held().sequence == 20
    a.put({"id": "d7", "n": 7, "more": "words of a"})
    assert {d for d, row in held().heads.items() if row["seq"] > 20} == {"d7"}
