"""Commands are written as redis-py writes them."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError, DataError

from shared.adapters.redis.packing import PackingConnection, packed
from tests.patience import PATIENCE_SECONDS

LONG = b"x" * 100_000
ARGUMENTS = st.binary(max_size=50) | st.text(max_size=50) | st.integers() | st.floats(allow_nan=False)


@given(st.sampled_from(["GET", "SCRIPT LOAD", "CLIENT SETINFO"]), st.lists(ARGUMENTS))
def test_a_command_is_written_as_the_driver_writes_it(name: str, arguments: list[Any]) -> None:
    ours, drivers = PackingConnection(), Connection()  # type: ignore[no-untyped-call]
    assert b"".join(ours.pack_command(name, *arguments)) == b"".join(drivers.pack_command(name, *arguments))
    assert packed((name, *arguments)) == b"".join(drivers.pack_command(name, *arguments))


@pytest.mark.parametrize("value", [None, [], {}, object()])
def test_what_is_no_argument_is_refused_as_the_driver_refuses_it(value: Any) -> None:
    for kind in (PackingConnection, Connection):
        with pytest.raises(DataError):
            kind().pack_command("SET", "a", value)  # type: ignore[no-untyped-call]
    with pytest.raises(DataError):
        packed(("SET", "a", value))


def test_what_is_long_is_written_as_well() -> None:
    ours, drivers = PackingConnection(), Connection()  # type: ignore[no-untyped-call]
    assert b"".join(ours.pack_command("SET", "a", LONG)) == b"".join(drivers.pack_command("SET", "a", LONG))


@pytest.mark.parametrize(
    ("waiting", "command", "waits"), [(0, b"short", False), (1, b"short", True), (0, LONG, True)]
)
async def test_only_what_the_socket_does_not_take_at_once_is_waited_for(
    waiting: int, command: bytes, waits: bool
) -> None:
    connection = PackingConnection(socket_timeout=PATIENCE_SECONDS)  # type: ignore[no-untyped-call]
    writer = Mock(asyncio.StreamWriter)
    writer.is_closing.return_value = False
    writer.transport.get_write_buffer_size.return_value = waiting
    connection._reader, connection._writer = Mock(), writer
    await connection.send_packed_command(command)
    assert writer.write.called != waits and writer.writelines.called == waits
    assert writer.drain.called == waits
    connection._reader = connection._writer = None


@pytest.mark.parametrize("is_due", [True, False])
async def test_the_health_of_a_connection_is_looked_at_when_that_is_due(
    is_due: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = AsyncMock()
    monkeypatch.setattr(Connection, "check_health", looked_at)
    connection = PackingConnection(health_check_interval=15)  # type: ignore[no-untyped-call]
    connection.next_health_check = asyncio.get_running_loop().time() + (-1 if is_due else PATIENCE_SECONDS)
    writer = Mock(asyncio.StreamWriter)
    writer.is_closing.return_value = False
    writer.transport.get_write_buffer_size.return_value = 0
    connection._reader, connection._writer = Mock(), writer
    await connection.send_packed_command(b"short")
    assert looked_at.called == is_due
    connection._reader = connection._writer = None


async def test_a_connection_that_has_ended_says_so() -> None:
    connection = PackingConnection(socket_timeout=PATIENCE_SECONDS)  # type: ignore[no-untyped-call]
    writer = Mock(asyncio.StreamWriter)
    writer.is_closing.return_value = True
    writer.drain.side_effect = ConnectionResetError("gone")
    connection._reader, connection._writer = Mock(), writer
    with pytest.raises(ConnectionError):
        await connection.send_packed_command(b"short")
