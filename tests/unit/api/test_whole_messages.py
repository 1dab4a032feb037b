"""Answers that leave as one message, and bodies that are taken as one: the bytes of a connection are the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.api.test_http_protocol import ONE, Connection

FIELDS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
AN_ID = (b"x-request-id", b"0123456789abcdef")


@pytest.mark.parametrize("fields", [[*FIELDS, AN_ID], [AN_ID, *FIELDS], [*FIELDS, (b"set-cookie", b"a=b"), AN_ID]])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_a_head_that_brings_its_body_along_is_answered_with_the_same_bytes(
    fields: list[tuple[bytes, bytes]], method: bytes
) -> None:
    start: Any = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3"), *fields]}
    body = {"type": "http.response.body", "body": b"abc"}
    answers = []
    for messages in ([start, body], [{**start, "body": b"abc"}]):
        connection = Connection()
        connection.protocol.data_received(ONE.replace(b"GET", method))
        cycle: Any = connection.protocol.cycle
        for message in messages:
            await cycle.send(message)
        answers.append(connection.sent)
        assert cycle.response_complete
        connection.protocol.connection_lost(None)
    lines = [b"HTTP/1.1 200 OK", *(b"%s: %s" % field for field in start["headers"]), b"", b"abc"]
    assert answers == [b"\r\n".join(lines) if method == b"GET" else b"\r\n".join(lines).removesuffix(b"abc")] * 2


async def test_a_head_that_brings_another_body_along_than_it_says_is_no_answer() -> None:
    connection = Connection()
    connection.protocol.data_received(ONE)
    start: Any = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", b"4"), *FIELDS, AN_ID],
    }
    with pytest.raises(RuntimeError):
        cycle: Any = connection.protocol.cycle
        await cycle.send({**start, "body": b"abc"})
    assert not connection.protocol.cycle.response_complete
    connection.protocol.connection_lost(None)


async def test_ids_of_answers_are_not_remembered_and_no_id_begins_another_line() -> None:
    known = [(b"content-length", b"0"), *FIELDS]
    for identity in (b"1", b"2"):
        connection = Connection()
        connection.protocol.data_received(ONE)
        start: Any = {"type": "http.response.start", "status": 200, "headers": [*known, (b"x-request-id", identity)]}
        cycle: Any = connection.protocol.cycle
        await cycle.send({**start, "body": b""})
        assert b"x-request-id: " + identity + b"\r\n\r\n" in connection.sent
        connection.protocol.connection_lost(None)
    connection = Connection()
    connection.protocol.data_received(ONE)
    with pytest.raises(RuntimeError):
        await connection.protocol.cycle.send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [*known, (b"x-request-id", b"1\r\nset-cookie: a")],
            }
        )
    connection.protocol.connection_lost(None)


async def test_a_body_is_taken_once_and_then_the_end_of_its_connection_is_waited_for() -> None:
    connection = Connection()
    connection.protocol.data_received(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
    cycle: Any = connection.protocol.cycle
    assert await cycle.receive() == {"type": "http.request", "body": b"abc", "more_body": False}
    next_one = asyncio.create_task(cycle.receive())
    await asyncio.sleep(0)
    assert not next_one.done()
    connection.protocol.connection_lost(None)
    assert await next_one == {"type": "http.disconnect"}
    assert await cycle.receive() == {"type": "http.disconnect"}
