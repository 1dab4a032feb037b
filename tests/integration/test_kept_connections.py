"""A transaction leaves its connection to the next one: only where the pool would give it out as well, and not for
long."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import ConnectionFailure
from pymongo.server_type import SERVER_TYPE

from shared.adapters.mongodb import kept
from shared.adapters.mongodb.begun import Sessions
from shared.adapters.mongodb.commands import Commands
from shared.adapters.mongodb.faults import TRANSIENT
from shared.adapters.mongodb.kept import Checkout
from tests.integration.scratch import Scratch, write_one
from tests.patience import PATIENCE_SECONDS

LONG = 1000.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, the next transaction comes in time."""
    monkeypatch.setattr(kept, "_KEPT_SECONDS", LONG)


several = pytest.mark.parametrize("scratch", [""], indirect=True)
"""Of many connections that there may be."""


def pool_of(scratch: Scratch) -> Any:
    return scratch._primary.server(None, "ping").pool


def connection_of(scratch: Scratch, key: int) -> Any:
    """Of a transaction that inserts this."""
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": key}])
        connection = commands._connection
        commands.commit()
    return connection


@several
def test_the_next_transaction_has_the_same_connection_without_the_pool(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = connection_of(scratch, 1)
    with monkeypatch.context() as patched:
        patched.setattr(scratch.connections._client, "_checkout", None)
        assert [connection_of(scratch, key) for key in (2, 3)] == [first, first]


@several
def test_two_at_a_time_have_two(scratch: Scratch) -> None:
    connection_of(scratch, 1)
    with scratch.transaction() as one, scratch.transaction() as another:
        for key, commands in enumerate((one, another)):
            commands.insert(scratch.name, [{"_id": f"{key}"}])
        assert one._connection is not another._connection
        one.commit()
        another.commit()
    assert len(scratch.connections._kept) == 2


def test_of_few_connections_none_is_kept(scratch: Scratch) -> None:
    pool = pool_of(scratch)
    write_one(scratch, {"_id": 1})
    assert pool.requests == (0 if pool.max_pool_size == 1 else 1)


@several
def test_none_is_kept_while_many_are_out(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_of(scratch), "max_pool_size", 4)
    with scratch.transaction() as one, scratch.transaction() as another, scratch.transaction() as third:
        for key, commands in enumerate((one, another, third)):
            commands.insert(scratch.name, [{"_id": f"{key}"}])
        one.commit()
        assert not scratch.connections._kept
        another.commit()
        assert len(scratch.connections._kept) == 1
        third.commit()
        assert len(scratch.connections._kept) == 1


def _too_late(_: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_KEPT_SECONDS", 0.0)


def _cleared(scratch: Scratch, _: pytest.MonkeyPatch) -> None:
    pool_of(scratch).reset()
    pool_of(scratch).ready()


def _closed(scratch: Scratch, _: pytest.MonkeyPatch) -> None:
    scratch.connections._kept[0].connection.close_conn(None)


def _another_primary(scratch: Scratch, _: pytest.MonkeyPatch) -> None:
    scratch.connections._kept[0].server = None


@several
@pytest.mark.parametrize("change", [_too_late, _cleared, _closed, _another_primary])
def test_one_that_is_not_good_any_more_goes_back_to_the_pool(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    write_one(scratch, {"_id": 1})
    [before] = scratch.connections._kept
    change(scratch, monkeypatch)
    write_one(scratch, {"_id": 2})
    [after] = scratch.connections._kept
    assert after is not before
    assert pool_of(scratch).requests == 1
    assert (before.connection is after.connection) == (not before.connection.closed)


@several
def test_another_process_does_not_use_it(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    write_one(scratch, {"_id": 1})
    [before] = scratch.connections._kept
    server = before.server
    assert before.is_good(server)
    its = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: its + 1)
    assert not before.is_good(server)
    monkeypatch.undo()


@several
def test_one_that_is_lost_while_it_is_kept_ends_the_transaction_that_takes_it(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    scratch.connections._kept[0].connection.conn.get_conn.close()
    with scratch.transaction() as commands:
        with pytest.raises(ConnectionFailure) as raised:
            _write(commands, scratch)
        assert raised.value.has_error_label(TRANSIENT)  # it is this session that has met it
        commands.session.abort_transaction()
    write_one(scratch, {"_id": 3})
    assert [row["_id"] for row in scratch.rows] == [1, 3]


def _write(commands: Commands, scratch: Scratch) -> None:
    commands.insert(scratch.name, [{"_id": 2}])
    commands.settle()


@several
def test_who_calls_the_driver_holds_none(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        assert scratch.seen(commands) == [{"_id": 1}]
        assert pool_of(scratch).requests == 0
        commands.commit()


@several
async def test_one_that_nobody_comes_back_for_is_given_back(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_one(scratch, {"_id": 1})
    monkeypatch.setattr(kept, "_KEPT_SECONDS", 0.01)
    scratch.connections.watch()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while scratch.connections._timer is not None:
            await asyncio.sleep(0.01)
    assert not scratch.connections._kept and pool_of(scratch).requests == 0


@several
def test_all_are_given_back_at_the_end(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    scratch.connections.close()
    assert pool_of(scratch).requests == 0
    write_one(scratch, {"_id": 2})
    assert pool_of(scratch).requests == 0


class Overtaken(deque[Checkout]):
    """Another thread takes one as soon as this one has looked at the first."""

    def __init__(self, connections: Any) -> None:
        super().__init__(connections._kept)
        self.taken: list[Checkout | None] = []
        self.thread = threading.Thread(target=lambda: self.taken.append(connections._last()))

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.thread.start()
        self.thread.join(0.2)  # or it waits until this one is done
        return found


@several
def test_one_that_is_given_back_is_not_taken_at_the_same_time(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    scratch.connections._kept = overtaken = Overtaken(scratch.connections)
    scratch.connections.close()
    overtaken.thread.join()
    assert overtaken.taken == [None] and pool_of(scratch).requests == 0


@several
def test_a_session_that_rests_has_no_connection_of_a_load_balancer(scratch: Scratch) -> None:
    pool = pool_of(scratch)
    its = SimpleNamespace(address=pool.address, server_type=SERVER_TYPE.LoadBalancer)
    sessions = Sessions(scratch._client)
    begun: Any = sessions.begin()
    checkout = pool.checkout()
    begun.session._pin(SimpleNamespace(description=its), checkout.__enter__())
    checkout.__exit__(None, None, None)
    assert pool.requests == 1
    sessions.rest(begun)
    assert pool.requests == 0
