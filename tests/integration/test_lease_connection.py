"""What a worker tells Redis without waiting: it arrives, also when the connection is lost before its answer is
read."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import hiredis
import pytest
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from shared.adapters import arq
from shared.adapters.redis import connection, lease_connection
from shared.adapters.redis.lease_connection import LeaseConnection
from shared.settings import Settings
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[arq.WakingRedis]:
    """With one connection."""
    client = arq.connect(settings, connections=1)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
async def calls(redis: arq.WakingRedis) -> AsyncIterator[LeaseConnection]:
    made = LeaseConnection(redis)
    yield made
    await made.close()


@pytest.fixture
def key() -> str:
    return f"test:{uuid.uuid4().hex}"


async def test_what_is_asked_has_its_own_answers(calls: LeaseConnection, key: str) -> None:
    await calls.tell(("RPUSH", key, "a"), ("PEXPIRE", key, 60_000))
    assert await calls.ask(("RPUSH", key, "b"), ("LRANGE", key, 0, -1)) == [2, [b"a", b"b"]]
    assert await calls.ask(("LLEN", key)) == [2]


async def test_what_was_told_is_sent_at_once(calls: LeaseConnection, key: str, settings: Settings) -> None:
    another = arq.connect(settings, connections=1)
    await calls.tell(("RPUSH", key, "a"))
    assert await another.blpop([key], timeout=int(connection.ANSWER_SECONDS / 2)) == (key.encode(), b"a")
    await another.aclose(close_connection_pool=True)


@pytest.mark.parametrize("when", ["before it is told", "after it was told"])
async def test_what_was_told_to_a_connection_that_is_lost_goes_out_again(
    calls: LeaseConnection, key: str, when: str
) -> None:
    assert await calls.ask(("LLEN", key)) == [0]
    if when.startswith("before"):
        calls._connection._writer.transport.abort()
    await calls.tell(("HSET", key, "told", "1"))
    if when.startswith("after"):
        calls._connection._writer.transport.abort()
    assert await calls.ask(("HGET", key, "told")) == [b"1"]
    await calls.tell(("HSET", key, "told", "2"))
    assert await calls.ask(("HGET", key, "told")) == [b"2"]


async def test_a_refusal_of_what_was_told_is_raised_by_what_is_asked_next(calls: LeaseConnection, key: str) -> None:
    await calls.tell(("RPUSH", key, "a"), ("HSET", key, "a", "b"))
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await calls.ask(("LLEN", key))
    assert await calls.ask(("LLEN", key)) == [1]


async def test_the_answers_to_much_that_was_told_are_waited_for(
    calls: LeaseConnection, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_connection, "_MOST_UNREAD_BYTES", 200)
    async with asyncio.timeout(
        connection.ANSWER_SECONDS / 2
    ):  # less than what is waited for an answer that does not come
        for number in range(1, 7):
            await calls.tell(("RPUSH", key, "x" * 90, number))
            assert len(calls._unread) == number % 2
        assert await calls.ask(("LLEN", key)) == [12]


async def test_what_is_not_read_is_nobody_elses_answer(
    redis: arq.WakingRedis, calls: LeaseConnection, key: str
) -> None:
    await calls.tell(("RPUSH", key, "a"))
    await calls.close()
    assert await redis.ping() is True
    assert await calls.ask(("ECHO", key)) == [key.encode()]


async def test_an_answer_that_does_not_come_in_time_ends_the_connection(
    redis: arq.WakingRedis, calls: LeaseConnection, key: str
) -> None:
    assert await calls.ask(("LLEN", key)) == [0]
    kept = calls._connection
    patient, kept.socket_timeout = kept.socket_timeout, 0.05
    await calls.close()
    with pytest.raises(TimeoutError):
        await calls.ask(("BLPOP", key, PATIENCE_SECONDS))
    kept.socket_timeout = patient
    assert await calls.ask(("LLEN", key)) == [0]


async def test_the_connection_is_the_drivers_again(redis: arq.WakingRedis, calls: LeaseConnection, key: str) -> None:
    first = await redis.client_id()
    for number in range(1, 4):
        assert await calls.ask(("RPUSH", key, "x" * 100_000)) == [number]
        await calls.close()
        assert await redis.client_id() == first


async def test_who_waits_when_the_connection_is_lost_asks_again(
    calls: LeaseConnection, key: str, settings: Settings
) -> None:
    another = arq.connect(settings, connections=1)
    waits = asyncio.create_task(calls.ask(("BLPOP", key, PATIENCE_SECONDS)))
    await asyncio.sleep(0.05)
    calls._connection._writer.transport.abort()
    await asyncio.sleep(0.05)
    await another.rpush(key, "a")
    assert await asyncio.wait_for(waits, PATIENCE_SECONDS) == [[key.encode(), b"a"]]
    await another.aclose(close_connection_pool=True)


async def test_much_is_sent_as_the_connection_takes_it(calls: LeaseConnection, key: str) -> None:
    await calls.tell(("RPUSH", key, "x" * 5_000_000))
    await calls.tell(("RPUSH", key, "y"))
    assert await calls.ask(("LLEN", key), ("LRANGE", key, 1, 1)) == [2, [b"y"]]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("loads", [1, 100])
@pytest.mark.parametrize("refusal", ["LOADING Redis is loading", "NOAUTH Authentication required."])
async def test_what_comes_while_redis_loads_is_no_answer(
    settings: Settings, told: bool, loads: int, refusal: str
) -> None:
    """An error of these kinds is none of ResponseError: it was taken for a value, and what was told was gone."""
    came: list[bytes] = []
    refused: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        while data := await reader.read(4096):
            commands.feed(data)
            while command := commands.gets():
                if command[0] != b"INCR":
                    writer.write(b"+PONG\r\n" if command[0] == b"PING" else b"+OK\r\n")
                elif len(refused) < loads:
                    refused.append(command[1])
                    writer.write(f"-{refusal}\r\n".encode())
                else:
                    came.append(command[1])
                    writer.write(b":0\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    redis = arq.connect(replace(settings, redis_url=f"redis://127.0.0.1:{port}"), connections=1)
    calls = LeaseConnection(redis)
    if told:
        await calls.tell(("INCR", "told"))
    if loads == 1:
        assert await calls.ask(("INCR", "asked")) == [0]
        assert came[-1] == b"asked" and (b"told" in came) == told
    else:
        with pytest.raises(ConnectionError):
            await calls.ask(("INCR", "asked"))
        assert not came
    await calls.close()
    await redis.aclose(close_connection_pool=True)
    server.close()
