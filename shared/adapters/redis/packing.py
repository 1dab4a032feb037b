"""Connections to Redis that take fewer steps than the driver's. A command is written by hiredis, where the driver
goes through its arguments in Python, and without a task of its own, which the driver makes to bound its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import hiredis
from redis.asyncio.connection import Connection
from redis.connection import HiredisRespSerializer
from redis.typing import EncodableT

AT_ONCE_BYTES: Final = 32 * 1024
"""Of a command: the buffer of a socket has room for it."""
_PACK: Final[Any] = hiredis.pack_command
_SERIALIZER: Final[Any] = HiredisRespSerializer()
"""The driver's own, which its connections without asyncio have."""


def packed(command: Iterable[EncodableT]) -> bytes:
    """A command as it is written."""
    whole = tuple(command)
    if isinstance(whole[0], str) and " " not in whole[0]:
        try:
            return bytes(_PACK(whole))
        except TypeError:
            pass  # the driver makes an error of its own of it
    return b"".join(_SERIALIZER.pack(*whole))


class PackingConnection(Connection):
    """TLS without sentinels has the driver's own."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        packed: list[bytes] = _SERIALIZER.pack(*args)
        return packed

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Nothing waits for a short command to leave. If it does not, no answer comes, and that is waited for as long
        as ever."""
        if isinstance(command, str):
            command = command.encode()
        data = command if isinstance(command, bytes) else b"".join(command)
        writer: asyncio.StreamWriter | None = self._writer
        if (
            writer is None
            or writer.is_closing()
            or len(data) > AT_ONCE_BYTES
            or writer.transport.get_write_buffer_size() > 0
            or (check_health and self._is_health_due())
        ):
            await super().send_packed_command(data, check_health)
        else:
            writer.write(data)

    def _is_health_due(self) -> bool:
        return bool(self.health_check_interval) and asyncio.get_running_loop().time() > self.next_health_check
