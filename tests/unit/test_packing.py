"""Commands are written as redis-py writes them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection

from shared.adapters.redis.packing import PackingConnection

ARGUMENTS = st.binary(max_size=50) | st.text(max_size=50) | st.integers() | st.floats(allow_nan=False)


@given(st.sampled_from(["GET", "SCRIPT LOAD", "CLIENT SETINFO"]), st.lists(ARGUMENTS))
def test_a_command_is_written_as_the_driver_writes_it(name: str, arguments: list[Any]) -> None:
    ours, drivers = PackingConnection(), Connection()  # type: ignore[no-untyped-call]
    assert b"".join(ours.pack_command(name, *arguments)) == b"".join(drivers.pack_command(name, *arguments))


def test_what_is_long_is_written_as_well() -> None:
    ours, drivers = PackingConnection(), Connection()  # type: ignore[no-untyped-call]
    long = b"x" * 100_000
    assert b"".join(ours.pack_command("SET", "a", long)) == b"".join(drivers.pack_command("SET", "a", long))
