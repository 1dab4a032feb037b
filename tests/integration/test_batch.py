"""`/tasks` against the running server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api import errors
from shared.core.json.canonical import content_hash
from tests.instance import Access, Instance


@pytest.fixture
def http(access: Access) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as client:
        yield client


def post(http: httpx.Client, tasks: dict[str, Any], **query: str) -> dict[str, Any]:
    answer = http.post("/tasks", json={"tasks": tasks}, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["tasks"]
    assert list(found) == list(tasks)
    return found


def test_a_thousand_at_once_are_all_stored(http: httpx.Client) -> None:
    bodies = {f"d{i:04}": {"id": f"d{i:04}", "n": i} for i in range(1000)}
    found = post(http, {key: {"client_state": body, "base": "0"} for key, body in bodies.items()})
    assert {answer["outcome"] for answer in found.values()} == {"applied"}
    assert all("server_state" not in answer and "conflicts" not in answer for answer in found.values())
    assert http.get("/hashes").json() == {key: content_hash(body) for key, body in bodies.items()}
    pages: dict[str, Any] = {}
    after: str | None = ""
    while after is not None:
        page = http.get("/tasks", params={"limit": "300", "after": after}).raise_for_status().json()
        pages |= page["tasks"]
        after = page["after"]
    assert {key: row["server_state"] for key, row in pages.items()} == bodies
    assert {key: row["rev"] for key, row in pages.items()} == {key: row["rev"] for key, row in found.items()}


def test_it_is_decided_as_if_each_had_come_alone(server: Instance, access: Access, http: httpx.Client) -> None:
    first = post(http, {"a": {"client_state": {"id": "a", "x": 1, "y": 1}, "base": "0"}})["a"]
    other = server.access(space=access.space)
    theirs = {"client_state": {"id": "a", "x": 2, "y": 1}, "base": first["rev"]}
    httpx.post(f"{other.url}/task/a", headers=other.headers, json=theirs).raise_for_status()
    mine = {"client_state": {"id": "a", "x": 1, "y": 2}, "base": first["rev"]}
    [merged] = post(http, {"a": mine}).values()
    assert merged["outcome"] == "merged" and merged["server_state"] == {"id": "a", "x": 2, "y": 2}
    [again] = post(http, {"a": mine}).values()
    assert (again["outcome"], again["rev"]) == ("unchanged", merged["rev"])


def test_a_bad_document_fails_alone_with_the_place(http: httpx.Client) -> None:
    bad = '{"client_state": {"id": "bad", "x": {"a": 1, "a": 2}}}'
    raw = f'{{"tasks": {{"bad": {bad}, "good": {{"client_state": {{"id": "good"}}}}}}}}'
    found = http.post("/tasks", content=raw).raise_for_status().json()["tasks"]
    assert found["good"]["outcome"] == "applied"
    error = found["bad"]["error"]
    assert (error["status"], error["code"]) == (422, errors.INVALID_DOCUMENT.code)
    assert error["pointer"] == "/tasks/bad/client_state/x/a"
    assert set(http.get("/hashes").json()) == {"good"}


def test_refusals_fail_alone(http: httpx.Client) -> None:
    revs = post(http, {f"d{i}": {"client_state": {"id": f"d{i}"}, "base": "0"} for i in range(30)})
    deletions = {
        key: {"client_state": {"id": key, "_deleted": True}, "base": answer["rev"]} for key, answer in revs.items()
    }
    found = post(http, deletions)
    held = {key for key, answer in found.items() if answer.get("error", {}).get("code") == "deletions-held"}
    assert len(held) == 10
    assert set(http.get("/hashes").json()) == held
    lost = {"client_state": {"id": "d0", "x": 1}, "base": "99-0123456789abcdef0123456789abcdef"}
    [unknown] = post(http, {"d0": lost}).values()
    assert unknown["error"]["code"] == "base-unknown"


def test_a_dry_run_stores_nothing(http: httpx.Client) -> None:
    [found] = post(http, {"a": {"client_state": {"id": "a"}, "base": "0"}}, dry_run="1").values()
    assert (found["outcome"], found["rev"]) == ("applied", None)
    assert http.get("/hashes").json() == {}


def test_documents_are_read_by_id(http: httpx.Client) -> None:
    awkward = {"id": "b", "$ref": 1, "$id": 2, "~$ref": {"$ref": [], "$id": None}}
    revs = post(http, {"a": {"client_state": {"id": "a"}, "base": "0"}, "b": {"client_state": awkward, "base": "0"}})
    http.delete("/task/a", headers={"if-match": revs["a"]["rev"]}).raise_for_status()
    found = http.get("/tasks", params={"ids": "a,b,c"}).raise_for_status().json()
    assert found["after"] is None
    assert found["tasks"]["b"] == {"server_state": awkward, "rev": revs["b"]["rev"], "hash": content_hash(awkward)}
    assert found["tasks"]["c"] == {"server_state": None, "rev": "0", "hash": None}
    deleted = found["tasks"]["a"]
    assert deleted["server_state"] is None and deleted["rev"].endswith("-deleted")


@pytest.mark.parametrize("query", ["ids=", "ids=a//b", "limit=0", "limit=1001", "limit=x", "after=/"])
def test_a_query_that_means_nothing_is_refused(http: httpx.Client, query: str) -> None:
    answer = http.get(f"/tasks?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, errors.MALFORMED_REQUEST.code)


def test_spaces_are_apart(server: Instance, http: httpx.Client) -> None:
    post(http, {"a": {"client_state": {"id": "a"}}})
    stranger = server.access()
    for query in ("", "?ids=a"):
        found = httpx.get(f"{stranger.url}/tasks{query}", headers=stranger.headers).json()["tasks"]
        assert [row["server_state"] for row in found.values()] in ([], [None])
