"""Commands written by hiredis: redis-py's asyncio connections write them argument by argument, in Python."""

from __future__ import annotations

from typing import Any

import hiredis
from redis.asyncio.connection import Connection
from redis.typing import EncodableT


class Packing:
    """Mixed into a connection."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """Names of several words go as several arguments, as the driver sends them."""
        words: tuple[Any, ...] = args
        if isinstance(name := args[0], str) and " " in name:
            words = (*name.split(), *args[1:])
        return [hiredis.pack_command(words)]


class PackingConnection(Packing, Connection):
    """To a server without TLS."""
