"""A database that was put back to an earlier moment: no cursor and no map of what it has lost is taken for valid.

The rows of one space are put back into a running database, as a restored dump does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.instance import Access, Instance

Row = dict[str, Any]


@pytest.fixture
def database(server: Instance) -> Iterator[Database[Row]]:
    with MongoClient[Row](server.settings.mongo_url) as client:
        yield client[server.settings.mongo_database]


@pytest.fixture
def http(access: Access) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=access.url, headers=access.headers) as client:
        yield client


def put(http: httpx.Client, document: str, value: int) -> None:
    state = {"id": document, "value": value}
    http.post(f"/task/{document}", json={"client_state": state}).raise_for_status()


class Backup:
    """Of one space."""

    def __init__(self, database: Database[Row], space: str) -> None:
        self._database = database
        self._which = {"spaces": {"_id": space}, "documents": {"space": space}, "revisions": {"space": space}}
        self._rows = {name: list(database[name].find(which)) for name, which in self._which.items()}

    def put_back(self, **changed: Any) -> None:
        """`changed`: of the space's row."""
        for name, which in self._which.items():
            self._database[name].delete_many(which)
            if self._rows[name]:
                self._database[name].insert_many(self._rows[name])
        if changed:
            self._database["spaces"].update_one(self._which["spaces"], {"$set": changed})


def cursor_of(answer: httpx.Response) -> str:
    return answer.raise_for_status().headers["hypertask-cursor"]


@pytest.mark.parametrize("known_by", ["the process and its cache", "a client's cursor", "a client's ETag"])
def test_whoever_knows_more_than_the_store_ends_its_history(
    http: httpx.Client, database: Database[Row], access: Access, known_by: str
) -> None:
    put(http, "a", 1)
    before = cursor_of(http.get("/hashes"))
    backup = Backup(database, access.space)
    put(http, "a", 2)
    put(http, "b", 1)
    listed = http.get("/hashes") if known_by == "the process and its cache" else None
    history, _, number = before.partition("-")
    ahead = f"{history}-{int(number) + 2}"
    backup.put_back()
    if known_by == "a client's cursor":
        assert http.get("/hashes", params={"since": ahead}).status_code == 410
    elif known_by == "a client's ETag":
        assert http.get("/hashes", headers={"if-none-match": f'"{ahead}"'}).status_code == 200
    else:
        assert listed is not None and cursor_of(listed) == ahead
        assert http.get("/hashes").json().keys() == {"a"}
    # Another client writes the store past what was told before.
    for value in range(3, 7):
        put(http, "a", value)
    assert http.get("/hashes", params={"since": ahead}).status_code == 410
    assert http.get("/events", params={"since": ahead}).status_code == 410
    changed = http.get("/hashes", params={"since": before}).raise_for_status().json()
    assert changed["hashes"].keys() == {"a"}
    answer = http.get("/hashes", headers={"if-none-match": f'"{ahead}"'})
    assert answer.status_code == 200 and answer.json().keys() == {"a"}


def test_a_store_that_was_written_past_its_old_positions_first_is_told_by_its_process(
    http: httpx.Client, database: Database[Row], access: Access
) -> None:
    """Nobody came between: not even a process that remembers. What is left is that mongod is another one."""
    put(http, "a", 1)
    before = cursor_of(http.get("/hashes"))
    backup = Backup(database, access.space)
    put(http, "a", 2)
    put(http, "b", 1)
    history, _, number = before.partition("-")
    backup.put_back(process="another")
    for value in range(3, 7):
        put(http, "a", value)
    for lost in (1, 2, 3):
        ahead = f"{history}-{int(number) + lost}"
        assert http.get("/hashes", params={"since": ahead}).status_code == 410, lost
    assert http.get("/hashes", params={"since": before}).json()["hashes"].keys() == {"a"}


def test_pages_of_changes_go_over_the_border_of_two_histories(
    http: httpx.Client, database: Database[Row], access: Access
) -> None:
    for n in range(3):
        put(http, f"a{n}", n)
    database["spaces"].update_one({"_id": access.space}, {"$set": {"process": "another"}})
    for n in range(3):
        put(http, f"b{n}", n)
    found: list[str] = []
    cursor = f"{cursor_of(http.get('/hashes')).partition('-')[0]}-0"
    assert http.get("/hashes", params={"since": cursor}).status_code == 410, "of the second history nothing is before"
    row = database["spaces"].find_one({"_id": access.space})
    assert row is not None
    cursor, more = f"{row['epoch']}-0", True
    while more:
        page = http.get("/hashes", params={"since": cursor, "limit": 1}).raise_for_status().json()
        found += page["hashes"]
        cursor, more = page["cursor"], page["more"]
    assert found == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert cursor == cursor_of(http.get("/hashes"))
