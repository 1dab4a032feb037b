"""A redis-server of our own: on loopback, with a password, in memory: it holds nothing that must last."""

from __future__ import annotations

import asyncio
import builtins
import os
from contextlib import suppress
from typing import Final

from child import Child, Service
from data_directory import CannotStartError, DataDirectory, write_private
from program import Program
from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError

_MAY_TAKE_SECONDS: Final = 120.0


def service(data: DataDirectory, program: Program, port: int) -> Service:
    password = data.secret("redis")
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    folder = data.folder("redis")
    configuration = data.path("redis", "redis.conf")  # a password among the arguments could be seen by all
    write_private(
        configuration,
        "\n".join(
            (
                "bind 127.0.0.1",
                f"port {port}",
                f"requirepass {password}",
                'save ""',
                "appendonly no",
                "maxmemory-policy noeviction",
                "daemonize no",
                "",
            )
        ),
    )
    child = Child(
        "redis",
        [program.path, configuration],
        env=os.environ,
        cwd=folder,
        log=data.log("redis"),
        inherited=[data.children_lock],
    )

    async def ready() -> None:
        why: object = None
        with suppress(builtins.TimeoutError):
            async with (
                asyncio.timeout(_MAY_TAKE_SECONDS),
                Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client,
            ):
                while True:
                    try:
                        await client.ping()
                        return
                    except (ConnectionError, TimeoutError, BusyLoadingError) as error:
                        why = error
                        await asyncio.sleep(0.02)
        raise CannotStartError(f"redis was not ready after {_MAY_TAKE_SECONDS:g} s: {why}\n{child.log_tail()}")

    return Service(child, url, ready, port_was_taken=lambda: "Address already in use" in child.log_tail())
