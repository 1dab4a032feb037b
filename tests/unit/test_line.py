"""A line to Redis answers in the order in which it was asked, whatever becomes of those who ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import hiredis
import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ConnectionError, NoScriptError, TimeoutError

from shared.adapters.redis.line import RedisLine
from shared.adapters.redis.packing import PackingConnection
from tests.patience import PATIENCE_SECONDS


class Server:
    """Answers what it is asked with that; FAIL with an error, WAIT not at all, HOLD when the next one is asked; at
    CLOSE it closes the connection."""

    def __init__(self) -> None:
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        requests, held = hiredis.Reader(), b""
        while data := await reader.read(2**16):
            requests.feed(data)
            while command := requests.gets():
                match command[0]:
                    case b"CLIENT":
                        writer.write(b"+OK\r\n")
                    case b"FAIL":
                        writer.write(b"-NOSCRIPT No matching script.\r\n")
                    case b"CLOSE":
                        writer.close()
                    case b"HOLD":
                        held += b"+HOLD\r\n"
                    case b"WAIT":
                        pass
                    case name:
                        writer.write(held + b"+%s\r\n" % name)
                        held = b""
        writer.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def redis(server: Server) -> AsyncIterator[Redis]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    pool = BlockingConnectionPool.from_url(
        f"redis://127.0.0.1:{port}",
        connection_class=PackingConnection,
        max_connections=1,
        timeout=PATIENCE_SECONDS,
        socket_timeout=PATIENCE_SECONDS,
    )
    async with listening:
        client = Redis(connection_pool=pool)
        yield client
        await client.aclose(close_connection_pool=True)


async def test_an_answer_is_taken_before_who_waits_for_it_goes_on(redis: Redis) -> None:
    steps: list[object] = []
    async with RedisLine(redis) as line:
        await line.open()
        answer = line.call("ONE", take=steps.append)
        assert answer is not None
        answer.add_done_callback(lambda _: steps.append("waited"))
        assert await answer == b"ONE" and steps == [b"ONE", "waited"]


async def test_what_taking_an_answer_raises_is_raised_where_it_is_waited_for(redis: Redis) -> None:
    def fails(_answer: object) -> None:
        raise LookupError

    async with RedisLine(redis) as line:
        await line.open()
        answer = line.call("ONE", take=fails)
        assert answer is not None
        with pytest.raises(LookupError):
            await answer
        assert await asked(line, "TWO") == [b"TWO"]


async def test_an_error_is_not_taken(redis: Redis) -> None:
    taken: list[object] = []
    async with RedisLine(redis) as line:
        await line.open()
        answer = line.call("FAIL", take=taken.append)
        assert answer is not None
        with pytest.raises(NoScriptError):
            await answer
        assert not taken


async def asked(line: RedisLine, *commands: str) -> list[object]:
    """The answers, and errors."""
    answers = [line.call(command) for command in commands]
    given = [answer for answer in answers if answer is not None]
    assert len(given) == len(commands)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(*given, return_exceptions=True)


async def test_answers_come_in_the_order_of_the_commands_and_errors_are_those_of_the_driver(redis: Redis) -> None:
    async with RedisLine(redis) as line:
        assert line.call("A") is None
        await line.open()
        first, error, *others = await asked(line, "A", "FAIL", "HOLD", "B")
        assert (first, others) == (b"A", [b"HOLD", b"B"]) and isinstance(error, NoScriptError)


async def test_whoever_does_not_wait_any_more_leaves_the_others_their_answers(redis: Redis) -> None:
    async with RedisLine(redis) as line:
        await line.open()
        gone = line.call("HOLD")
        assert gone is not None and gone.cancel()
        assert await asked(line, "A", "B") == [b"A", b"B"]


async def test_what_is_not_short_is_for_the_driver(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RedisLine(redis) as line:
        await line.open()
        monkeypatch.setattr("shared.adapters.redis.line.AT_ONCE_BYTES", 100)
        assert line.call("A", b"x" * 100) is None
        assert await asked(line, "B") == [b"B"]


async def test_a_line_that_the_server_closed_tells_all_who_wait_and_is_opened_again(
    redis: Redis, server: Server
) -> None:
    async with RedisLine(redis) as line:
        await line.open()
        errors = await asked(line, "WAIT", "CLOSE")
        assert [type(error) for error in errors] == [ConnectionError, ConnectionError]
        assert not line.is_open and line.call("A") is None
        await line.open()
        assert await asked(line, "A") == [b"A"] and server.connections == 2


async def test_a_line_that_was_dropped_is_opened_again_whatever_comes_of_the_one_before(redis: Redis) -> None:
    async with RedisLine(redis) as line:
        await line.open()
        answer = line.call("WAIT")
        assert answer is not None
        line.drop()
        with pytest.raises(ConnectionError):
            await answer
        await line.open()
        assert await asked(line, "A") == [b"A"]


async def test_no_answer_is_waited_for_longer_than_the_driver_would(redis: Redis) -> None:
    # An answer that comes in time, but for a machine that stands still for longer than that: hardly each time.
    for seconds in (0.1, 2.0, 40.0):
        redis.connection_pool.connection_kwargs["socket_timeout"] = seconds
        async with RedisLine(redis) as line:
            await line.open()
            if await asked(line, "A") != [b"A"]:
                continue
            await asyncio.sleep(0.6 * seconds)
            [error] = await asked(line, "WAIT")
            assert isinstance(error, TimeoutError) and not line.is_open
            return
    raise AssertionError("the answer came too late each time")


async def test_its_connection_goes_back_to_the_pool(redis: Redis) -> None:
    for _ in range(2):
        async with RedisLine(redis) as line:
            await line.open()
            assert await asked(line, "A") == [b"A"]
    assert await redis.execute_command("B") == b"B"  # type: ignore[no-untyped-call]
