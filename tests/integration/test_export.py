"""`GET /export` against the running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.http.codings import Decoder
from tests.instance import Access, Instance


@pytest.fixture
def http(access: Access) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as client:
        yield client


def post(http: httpx.Client, **bodies: Any) -> None:
    tasks = {key: {"client_state": {"id": key, **body}} for key, body in bodies.items()}
    http.post("/tasks", json={"tasks": tasks}).raise_for_status()


def exported(http: httpx.Client, coding: str = "identity") -> list[dict[str, Any]]:
    with http.stream("GET", "/export", headers={"accept-encoding": coding}) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/x-ndjson"
        assert answer.headers.get("content-encoding", "identity") == coding
        data = b"".join(answer.iter_raw())
    if coding != "identity":
        decoder = Decoder(coding)
        data = b"".join(decoder.feed(data))
        decoder.close()
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("coding", ["identity", "zstd", "gzip"])
def test_an_export_has_everything(http: httpx.Client, coding: str) -> None:
    http.put("/policies", json={"/pin": "secret", "/tags": ["set"]}).raise_for_status()
    post(http, a={"pin": 1, "x": {"$ref": "y"}}, b={"n": 1})
    post(http, a={"pin": 2, "x": {"$ref": "y"}})
    http.delete("/task/b").raise_for_status()
    first, policies, *rows, last = exported(http, coding)
    assert first["kind"] == "space" and first["format"] == 1
    assert policies == {"kind": "policies", "policies": http.get("/policies").json()}
    assert [(row["kind"], row["id"], row["deleted"], row["state"]) for row in rows] == [
        ("document", "a", False, {"id": "a", "pin": 2, "x": {"$ref": "y"}}),
        ("document", "b", True, None),
        ("revision", "a", False, {"id": "a", "pin": 1, "x": {"$ref": "y"}}),
        ("revision", "b", False, {"id": "b", "n": 1}),
    ]
    assert last == {"kind": "end", "documents": 2, "revisions": 2}
    listed = http.get("/task/a/revisions").json()["revisions"]
    assert [row["rev"] for row in rows if row["id"] == "a"] == [row["rev"] for row in listed]
    # What changes after the export began comes with its cursor.
    post(http, c={})
    since = http.get("/hashes", params={"since": first["cursor"]}).json()
    assert list(since["hashes"]) == ["c"]


def test_an_export_has_one_space_alone(http: httpx.Client, server: Instance) -> None:
    post(http, a={})
    other = server.access()
    with httpx.Client(base_url=other.url, headers=other.headers, trust_env=False) as theirs:
        assert [row["kind"] for row in exported(theirs)] == ["space", "policies", "end"]
    assert httpx.get(f"{other.url}/export", trust_env=False).status_code == 401
