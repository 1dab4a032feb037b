"""Connections to a Redis with sentinels, and what becomes of errors of a server that is no master."""

from __future__ import annotations

from typing import Any, cast

import pytest
from arq.connections import ArqRedis
from arq.worker import func
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.exceptions import ConnectionError, MasterDownError, ResponseError

from shared.adapters.arq import PatientWorker, redis_settings
from shared.adapters.redis import connection
from shared.adapters.redis.connection import connection_pool, impatient_pool
from shared.adapters.redis.sentinel import MasterConnection, MasterPool, MasterTlsConnection
from shared.addresses import address_list
from shared.settings import Settings

SETTINGS = Settings(
    redis_url="rediss://app:of%40redis@ignored:1/3?ssl_ca_certs=/ca.pem",
    redis_sentinels=address_list("one:26379,two:26380"),
    redis_master="tasks",
    redis_sentinel_user="watcher",
    redis_sentinel_password="of-sentinels",
)


async def test_accounts_are_those_of_the_settings_and_a_sentinel_is_waited_for_a_second_at_most() -> None:
    pool = connection_pool(SETTINGS, connections=5)
    assert isinstance(pool, MasterPool)
    assert (pool.service_name, pool.max_connections, pool.connection_class) == ("tasks", 5, MasterTlsConnection)
    wanted = {"username": "app", "password": "of@redis", "db": 3, "ssl_ca_certs": "/ca.pem"}
    assert {**wanted, "socket_timeout": connection.ANSWER_SECONDS}.items() <= pool.connection_kwargs.items()
    assert not {"host", "port"} & pool.connection_kwargs.keys()
    asked = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [("one", 26379), ("two", 26380)]
    wanted = {"username": "watcher", "password": "of-sentinels", "ssl_ca_certs": "/ca.pem", "socket_timeout": 1}
    assert all(wanted.items() <= one.items() for one in asked)


async def test_who_cannot_wait_does_not_wait_for_sentinels() -> None:
    pool = impatient_pool(SETTINGS, 0.25, connections=2)
    assert isinstance(pool, MasterPool)
    [one, _] = pool.sentinel_manager.sentinels
    assert one.connection_pool.connection_kwargs["socket_connect_timeout"] == 0.25


def test_the_queues_own_connections_ask_the_sentinels() -> None:
    found = redis_settings(SETTINGS)
    assert (found.sentinel, found.sentinel_master) == (True, "tasks")
    assert found.host == [("one", 26379), ("two", 26380)]
    assert (found.username, found.password, found.database, found.ssl) == ("app", "of@redis", 3, True)
    assert not redis_settings(Settings()).sentinel


@pytest.mark.parametrize(
    ("error", "leaves"),
    [
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("Error running script: @user_script: 1: -READONLY You can't write"), True),
        (MasterDownError("Link with MASTER is down"), True),
        (ResponseError("WRONGTYPE Operation against a key"), False),
    ],
    ids=["cut off", "a replica, in a script", "a replica without its master", "a wrong command"],
)
async def test_a_connection_leaves_a_server_that_is_not_the_master(
    error: ResponseError, leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(*args: Any, **named: Any) -> None:
        raise error

    left = []

    async def disconnect(self: MasterConnection, nowait: bool = False) -> None:
        left.append(self)

    monkeypatch.setattr(SentinelManagedConnection, "read_response", answer)
    monkeypatch.setattr(MasterConnection, "disconnect", disconnect)
    connection = MasterConnection(connection_pool=connection_pool(SETTINGS))
    with pytest.raises(ConnectionError if leaves else ResponseError) as raised:
        await connection.read_response()
    assert isinstance(raised.value, ConnectionError) is leaves
    assert left == [connection] * leaves


class Away:
    """A Redis that knows of a job, and goes away when it is to begin."""

    gone = True

    async def zrangebyscore(self, *args: Any, **named: Any) -> list[bytes]:
        return [b"job"] if self.gone else []

    def pipeline(self, **named: Any) -> Any:
        raise ConnectionError("it is away")

    async def nothing(self, *args: Any, **named: Any) -> int:
        return 0

    psetex = zcard = nothing


async def test_a_worker_waits_for_a_redis_that_is_away_and_keeps_all_its_places() -> None:
    async def job(ctx: dict[str, Any]) -> None: ...

    redis = Away()
    queue = cast(ArqRedis, redis)
    worker = PatientWorker(functions=[func(job)], redis_pool=queue, max_jobs=2, handle_signals=False)
    places = worker.sem._value
    for _ in range(3):
        await worker._poll_iteration()
    redis.gone = False
    await worker._poll_iteration()
    assert worker.job_counter == 0
    assert worker.sem._value == places
