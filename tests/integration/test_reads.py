"""Reads outside transactions go around most of the driver: they must bring what the driver brings, also where
something fails, and go on doing it with another version of the driver."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from bson import decode_all
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from shared.adapters.mongodb import Mongo, opened
from shared.adapters.mongodb.commands import aggregate_command, find_command
from shared.adapters.mongodb.reads import Reads
from shared.settings import Settings
from tests.integration.writers import Commands
from tests.steps import counted_steps

MOST_LINES = 560
"""Of Python, of one read in its thread; the driver's own takes 1,450."""
FIELDS = {"n": 1, "long": 1}
NOWHERE = "mongodb://127.0.0.1:1/?replicaSet=rs0"


@pytest.fixture
async def mongo(settings: Settings) -> AsyncIterator[Mongo]:
    async with opened(settings) as mongo:
        yield mongo


@pytest.fixture
async def rows(mongo: Mongo) -> AsyncIterator[str]:
    """A collection of twenty rows."""
    name = f"scratch-{uuid.uuid4().hex[:12]}"
    await mongo.database[name].insert_many([{"_id": n, "n": n % 3, "long": 2**40, "no": "no"} for n in range(20)])
    yield name
    await mongo.database.drop_collection(name)


@pytest.mark.parametrize("together", [2, 7, 100])
async def test_what_comes_is_what_the_driver_brings(mongo: Mongo, rows: str, together: int) -> None:
    for query in ({}, {"n": 1}, {"_id": {"$gt": 100}}):
        for limit in (0, 5):
            driver = mongo.database[rows].find(query, FIELDS).sort([("n", 1), ("_id", -1)]).limit(limit)
            expected = await driver.to_list(None)
            asked: Any = {"order": [("n", 1), ("_id", -1)], "limit": limit, "together": together}
            found = await Reads(mongo).rows(find_command(rows, query, FIELDS, **asked))
            assert found == expected and all(type(row["long"]) is int for row in found)
            async with aclosing(Reads(mongo).batches(find_command(rows, query, FIELDS, **asked))) as batches:
                texts = [decode_all(batch) async for batch in batches]
            assert [row for text in texts for row in text] == expected
            assert max(map(len, texts)) <= together


@pytest.mark.parametrize("together", [3, 5, 6])
async def test_what_stages_find_is_what_the_driver_brings(mongo: Mongo, rows: str, together: int) -> None:
    stages: list[dict[str, Any]] = [{"$sort": {"_id": 1}}, {"$project": {"n": 1}}]
    expected = await mongo.database[rows].aggregate(stages).to_list(None)
    assert expected and await Reads(mongo).rows(aggregate_command(rows, stages, together=together)) == expected


async def test_who_wants_no_more_ends_the_cursor(settings: Settings, rows: str) -> None:
    commands = Commands()
    async with opened(settings, [commands]) as mongo:
        async with aclosing(Reads(mongo).batches(find_command(rows, {}, FIELDS, together=5))) as batches:
            await anext(batches)
        assert [name.split()[0] for name in commands.seen][-2:] == ["find", "killCursors"]
        assert len(await Reads(mongo).rows(find_command(rows, {}, FIELDS, together=5))) == 20
        assert [name.split()[0] for name in commands.seen][-5:] == ["find", *["getMore"] * 4]


def lose(mongo: Mongo) -> None:
    """Closes the sockets of the driver's connections, which it finds out when it uses one."""
    client: Any = mongo.client.delegate
    for server in client._topology._servers.values():
        for connection in server.pool.conns:
            connection.conn.get_conn.close()


async def test_a_read_whose_connection_is_lost_is_sent_once_more(mongo: Mongo, rows: str) -> None:
    reads = Reads(mongo)
    for _ in range(2):
        await reads.rows(find_command(rows, {}, FIELDS, together=100))
        lose(mongo)
        assert len(await reads.rows(find_command(rows, {}, FIELDS, together=100))) == 20


async def test_of_a_cursor_whose_server_is_lost_nothing_more_comes(mongo: Mongo, rows: str) -> None:
    """The next batch may have been taken from the server: to ask once more would leave rows out."""
    batches = Reads(mongo).batches(find_command(rows, {}, FIELDS, together=5))
    assert len(decode_all(await anext(batches))) == 5
    lose(mongo)
    with pytest.raises(ConnectionFailure):
        await anext(batches)


async def test_what_the_server_refuses_is_told_at_once(mongo: Mongo, rows: str) -> None:
    with pytest.raises(OperationFailure) as raised:
        await Reads(mongo).rows(find_command(rows, {"_id": {"$nothing": 1}}, FIELDS, together=5))
    assert raised.value.code == 2


@pytest.mark.parametrize(("code", "times"), [(134, 2), (262, 2), (13, 1), (None, 2)])
async def test_what_may_be_over_a_moment_later_is_asked_twice(
    mongo: Mongo, rows: str, monkeypatch: pytest.MonkeyPatch, code: int | None, times: int
) -> None:
    """134: no majority yet. 262: it took too long. 13: not allowed."""
    asked = 0

    def fails(*_: object) -> bytes:
        nonlocal asked
        asked += 1
        raise OperationFailure("no", code) if code else AutoReconnect("no")

    monkeypatch.setattr("shared.adapters.mongodb.reads.received", fails)
    with pytest.raises(PyMongoError):
        await Reads(mongo).rows(find_command(rows, {}, FIELDS, together=5))
    assert asked == times


async def test_a_server_that_cannot_be_reached_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = 0
    tried = Reads._tried

    def counted(reads: Reads, *arguments: Any) -> Any:
        nonlocal waits
        waits += 1
        return tried(reads, *arguments)

    monkeypatch.setattr(Reads, "_tried", counted)
    async with opened(Settings(mongo_url=NOWHERE, store_timeout_seconds=0.1)) as mongo:
        with pytest.raises(ServerSelectionTimeoutError):
            await Reads(mongo).rows(find_command("rows", {}, FIELDS, together=5))
    assert waits == 1


def lines_of(reads: Reads, collection: str) -> int:
    """In the thread that reads."""
    command = find_command(collection, {"_id": 1}, FIELDS, together=2)
    with counted_steps(ours=False) as lines:
        reads._first(command, lambda answer, connection: None)
    return lines.count


async def test_it_takes_few_lines_of_python(mongo: Mongo, rows: str) -> None:
    for _ in range(3):
        lines = lines_of(Reads(mongo), rows)
    assert lines < MOST_LINES
