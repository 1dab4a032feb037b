"""What is read of a connection of the driver, however it comes, and what becomes of the connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from struct import pack
from typing import Any

import bson
import pytest
from bson import Timestamp
from pymongo.errors import AutoReconnect, NetworkTimeout, ProtocolError
from pymongo.network_layer import NetworkingInterface
from pymongo.pool_options import PoolOptions
from pymongo.synchronous.pool import Connection, Pool

from shared.adapters.mongodb.answers import AnswerReader, is_success, value_in


class Wire:
    """A connection of the driver, and the server's end of it."""

    def __init__(self) -> None:
        ours, self.server = socket.socketpair()
        ours.settimeout(20)
        address = ("127.0.0.1", 1)
        self.connection: Any = Connection(
            NetworkingInterface(ours), Pool(address, PoolOptions()), address, 1, is_sdam=False
        )
        self.connection.ready = True

    @property
    def timeout(self) -> float | None:
        timeout: float | None = self.connection.conn.gettimeout()
        return timeout

    def answers(self) -> AnswerReader:
        return AnswerReader(self.connection)

    def send(self, *answers: bytes) -> None:
        self.server.sendall(b"".join(answers))

    def send_slowly(self, *parts: bytes) -> None:
        for part in parts:
            self.server.sendall(part)

    def close(self) -> None:
        self.server.close()
        self.connection.close_conn(None)


def message(number: int, size: int = 1, kind: int = 2013, flags: int = 0) -> bytes:
    document = bson.encode({"n": number, "text": "x" * size})
    return pack("<iiiiIB", 21 + len(document), 7, number, kind, flags, 0) + document


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@pytest.mark.parametrize("size", [1, 20_000, 3_000_000])
@pytest.mark.parametrize("together", [True, False])
def test_several_answers_however_they_come(wire: Wire, size: int, together: bool) -> None:
    answers = [message(number, size) for number in range(4)]
    data = b"".join(answers)
    parts = [data] if together else [data[start : start + 7001] for start in range(0, len(data), 7001)]
    sender = threading.Thread(target=wire.send_slowly, args=parts)
    sender.start()
    with wire.answers() as reader:
        for number in range(4):
            assert bson.decode(reader.read(number)) == {"n": number, "text": "x" * size}
    sender.join()
    assert wire.timeout == 20 and not wire.connection.closed


def test_a_head_in_two_parts(wire: Wire) -> None:
    data = message(1)
    timer = threading.Timer(0.05, wire.send, [data[9:]])
    wire.send(data[:9])
    timer.start()
    with wire.answers() as reader:
        assert bson.decode(reader.read(1))["n"] == 1


@pytest.mark.parametrize(
    "data", [message(2), message(1, kind=2012), message(1, flags=1), pack("<iiii", 16, 7, 1, 2013), b"\xff" * 40]
)
def test_what_is_no_answer_closes_the_connection(wire: Wire, data: bytes) -> None:
    wire.send(data)
    with wire.answers() as reader, pytest.raises(ProtocolError):
        reader.read(1)
    assert wire.connection.closed


def test_an_answer_that_nobody_asked_for_closes_the_connection(wire: Wire) -> None:
    wire.send(message(1), message(2))
    with wire.answers() as reader:
        reader.read(1)
    assert wire.connection.closed


def test_a_server_that_is_gone(wire: Wire) -> None:
    wire.send(message(1)[:30])
    wire.server.close()
    with wire.answers() as reader, pytest.raises(AutoReconnect):
        reader.read(1)
    assert wire.connection.closed


def test_a_server_that_does_not_answer(wire: Wire) -> None:
    wire.connection.set_conn_timeout(0.05)
    with wire.answers() as reader, pytest.raises(NetworkTimeout):
        reader.read(1)
    assert wire.connection.closed


def test_an_operation_that_is_cancelled_ends(wire: Wire) -> None:
    """The driver cancels those of a server that its monitor has lost."""
    threading.Timer(0.05, wire.connection.cancel_context.cancel).start()
    with wire.answers() as reader, pytest.raises(AutoReconnect, match="cancelled"):
        reader.read(1)
    assert wire.connection.closed


def test_what_is_long_is_sent_with_the_time_of_the_driver(wire: Wire) -> None:
    wire.send(message(1))
    with wire.answers() as reader:
        reader.read(1)
        assert wire.timeout != 20
        reader.patiently()
        assert wire.timeout == 20


OK = {"ok": 1.0, "$clusterTime": {"clusterTime": Timestamp(1, 1)}, "operationTime": Timestamp(1, 1)}


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (OK, True),
        ({"n": 1, **OK}, True),
        ({"n": 1, "nModified": 1, **OK}, True),
        ({"ok": 0.0, "errmsg": "", "code": 112}, False),
        ({"ok": 0.0, "errmsg": "\x01ok\0\0\0\0\0\0\0\xf0?", "code": 112}, False),
        ({"n": 0, "writeErrors": [{"index": 0, "code": 11000}], **OK}, False),
        ({**OK, "writeConcernError": {"code": 64}}, False),
        ({**OK, "errorLabels": []}, False),
        ({"n": 1, "upserted": [{"index": 0, "_id": "x" * 160}], **OK}, False),  # is one: the driver sees it
    ],
)
def test_a_success_is_seen_at_a_glance(answer: dict[str, Any], seen: bool) -> None:
    assert is_success(bson.encode(answer)) is seen


def found(value: object, **more: object) -> bytes:
    """The answer to a `findAndModify`."""
    return bson.encode({"lastErrorObject": {"n": 1, "updatedExisting": True}, "value": value, **OK, **more})


@pytest.mark.parametrize("row", [{"_id": "s", "value": {"n": 1}}, {"_id": "s", "policies": "an error"}, {}])
def test_a_row_is_seen_at_a_glance(row: dict[str, Any]) -> None:
    text = value_in(found(row))
    assert text is not None and bson.decode(text) == row


@pytest.mark.parametrize(
    "text",
    [
        found(None),
        found({"_id": "s"}, writeConcernError={"code": 64}),
        bson.encode({"lastErrorObject": {"n": 1}, "value": {"_id": "s"}, "ok": 0.0}),
        bson.encode({"ok": 0.0, "errmsg": "", "code": 112}),
    ],
)
def test_what_is_no_row_is_looked_at(text: bytes) -> None:
    assert value_in(text) is None
