"""States that say what they contain, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.instance import Access


@pytest.fixture
def http(access: Access) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=access.url, headers=access.headers) as client:
        yield client


def post(http: httpx.Client, state: dict[str, Any] | None, **members: Any) -> httpx.Response:
    return http.post("/task/a", json={"client_state": state, **members})


def doc(**fields: Any) -> dict[str, Any]:
    return {"id": "a", **fields}


def test_versions_decide_and_are_answered(http: httpx.Client) -> None:
    assert "versions" in http.get("/").json()["supports"]
    assert post(http, doc(a=1, b=1), version={"me": 1}).json()["version"] == {"me": 1}
    assert post(http, doc(a=1, b=2), version={"me": 1, "you": 1}).json()["outcome"] == "fast_forward"
    behind = post(http, doc(a=1, b=1), version={"me": 1}).json()
    assert (behind["outcome"], behind["server_state"]) == ("unchanged", doc(a=1, b=2))
    merged = post(http, doc(a=2, b=1), version={"me": 2}).json()
    assert (merged["server_state"], merged["version"]) == (doc(a=2, b=2), {"me": 2, "you": 1})
    assert post(http, None, version={}).json()["version"] == {"me": 2, "you": 1}
    asked = http.get("/tasks", params={"ids": "a"}).json()["tasks"]["a"]
    assert asked["version"] == {"me": 2, "you": 1}
    assert http.get("/task/a/revisions").json()["revisions"][0]["version"] == {"me": 2, "you": 1}


def test_ancestors_are_asked_for_and_taken_in_a_batch(http: httpx.Client) -> None:
    post(http, doc(a=1, b=2), version={"me": 1, "you": 1}).raise_for_status()
    task: dict[str, Any] = {"client_state": doc(a=2, b=1), "version": {"me": 2}}
    asked = http.post("/tasks", json={"tasks": {"a": task}}).json()["tasks"]["a"]
    assert asked["error"]["code"] == "base-unknown"
    task["ancestors"] = [{"version": {"me": 1}, "state": doc(a=1, b=1)}]
    answer = http.post("/tasks", json={"tasks": {"a": task}}).json()["tasks"]["a"]
    assert (answer["server_state"], answer["version"]) == (doc(a=2, b=2), {"me": 2, "you": 1})
    bare = post(http, doc(a=2, b=2))
    assert bare.json() == {"server_state": doc(a=2, b=2)}, "who says no version is told none"


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"version": []}, "/version"),
        ({"version": {"me": 0}}, "/version/me"),
        ({"version": {"me": 1.5}}, "/version/me"),
        ({"version": {"me": True}}, "/version/me"),
        ({"version": {"a.b": 1}}, "/version/a.b"),
        ({"version": {"M": 1}}, "/version/M"),
        ({"version": {f"s{n}": 1 for n in range(65)}}, "/version"),
        ({"ancestors": []}, "/ancestors"),
        ({"version": {}, "ancestors": {}}, "/ancestors"),
        ({"version": {}, "ancestors": [{"version": {}, "state": None}] * 5}, "/ancestors"),
        ({"version": {}, "ancestors": [{"version": {}}]}, "/ancestors/0"),
        ({"version": {}, "ancestors": [{"version": {"M": 1}, "state": None}]}, "/ancestors/0/version/M"),
        ({"version": {}, "ancestors": [{"version": {}, "state": {"id": "b"}}]}, "/ancestors/0/state/id"),
    ],
)
def test_what_is_no_version_is_refused_with_its_place(http: httpx.Client, members: Any, pointer: str) -> None:
    answer = post(http, doc(), **members)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["pointer"] == pointer
    batch = http.post("/tasks", json={"tasks": {"a": {"client_state": doc(), **members}}}).json()
    assert batch["tasks"]["a"]["error"]["pointer"] == "/tasks/a" + pointer
