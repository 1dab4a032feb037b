"""What a transaction writes with goes around most of the driver: it must do what the driver does, also where
something fails, and go on doing it with another version of the driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, ConnectionFailure, OperationFailure

from shared.adapters.mongodb.commands import Commands
from shared.adapters.mongodb.faults import TRANSIENT, is_ended, may_be_duplicate
from tests.integration.scratch import Scratch, change, lose_connection, write_one
from tests.steps import counted_steps

MOST_LINES = 1_300
"""Of Python, in a transaction of three commands; the driver's own takes 3,700."""


async def test_what_is_written_is_seen_in_the_transaction_and_after_its_commit(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1, "n": 1}, {"_id": 2, "n": 2}])
        assert [row["n"] for row in scratch.seen(commands)] == [1, 2]
        commands.update(
            scratch.name,
            [
                {"q": {"_id": 1}, "u": {"$inc": {"n": 2**40}}},
                {"q": {"_id": 2}, "u": {"_id": 2, "text": "é"}},
                {"q": {"_id": 3}, "u": {"n": 3}, "upsert": True},
            ],
        )
        found = commands.run({"findAndModify": scratch.name, "query": {"_id": 1}, "update": {"$set": {"m": 1}}})
        assert found["value"] == {"_id": 1, "n": 2**40 + 1} and type(found["value"]["n"]) is int
        commands.release()  # with one connection the look from outside needs it
        assert scratch.rows == []
        commands.commit()
    assert scratch.rows == [{"_id": 1, "n": 2**40 + 1, "m": 1}, {"_id": 2, "text": "é"}, {"_id": 3, "n": 3}]


@pytest.mark.parametrize("ahead", [True, False])
async def test_a_transaction_that_begins_with_a_call_of_the_driver_goes_on_here(
    scratch: Scratch, ahead: bool
) -> None:
    with scratch.transaction() as commands:
        if ahead:  # what its commands say was made while another one was committed
            commands._begun.fields_of_commands(commands._connected("insert"))
        assert scratch.seen(commands) == []
        commands.insert(scratch.name, [{"_id": 1}])
        commands.commit()
    assert scratch.rows == [{"_id": 1}]


async def test_one_that_only_reads_is_committed_by_the_driver(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        scratch.seen(commands)
        commands.commit()
    with scratch.transaction() as commands:
        commands.commit()  # of nothing at all


def let_in_after(
    errors: Sequence[ConnectionFailure], commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> list[None]:
    """The driver meets these when it asks for a connection, one after the other, and then has one. An entry for each
    time that it asked."""
    its: Any = commands._client._checkout
    tried: list[None] = []

    def checkout(*arguments: Any) -> Any:
        tried.append(None)
        if len(tried) <= len(errors):
            raise errors[len(tried) - 1]
        return its(*arguments)

    monkeypatch.setattr(commands._client, "_checkout", checkout)
    return tried


async def test_a_commit_is_asked_for_again_until_a_connection_is_there(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.commit()
        scratch.connections.close()  # none is kept
        scratch._primary._selected = None  # as when the first answer was that the server is going
        tried = let_in_after([ConnectionFailure()], commands, monkeypatch)
        commands.commit()
    assert len(tried) == 2 and scratch.rows == [{"_id": 1}]


async def test_a_commit_does_not_begin_the_transaction_again_when_the_driver_is_not_let_in(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.settle()
        commands.release()
        errors = [AutoReconnect("refused") for _ in range(2)]
        for error in errors:  # as the pool says it
            for label in ("SystemOverloadedError", "RetryableError"):
                error._add_error_label(label)
        tried = let_in_after(errors, commands, monkeypatch)
        commands.commit()
    assert len(tried) == 3 and scratch.rows == [{"_id": 1}]


async def test_what_is_aborted_by_the_driver_is_gone(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.session.abort_transaction()
    assert scratch.rows == []


async def test_a_row_that_is_there_ends_the_transaction(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    with scratch.transaction() as commands:
        with pytest.raises(BulkWriteError) as raised:
            commands.insert(scratch.name, [{"_id": 0}, {"_id": 1}])
            commands.settle()
        assert may_be_duplicate(raised.value)
        commands.session.abort_transaction()
    assert scratch.rows == [{"_id": 1}]


async def test_another_writer_of_the_same_row_ends_the_transaction(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    change = [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]
    with scratch.transaction() as one:
        one.update(scratch.name, change)
        one.settle()
        one.release()  # with one connection the other one has it now
        with scratch.transaction() as another:
            with pytest.raises(OperationFailure) as raised:
                another.update(scratch.name, change)
                another.settle()
            assert is_ended(raised.value) and raised.value.has_error_label(TRANSIENT)
        one.commit()
    assert scratch.rows == [{"_id": 1, "n": 1}]


async def test_what_is_too_long_for_one_command_is_written_all_the_same(scratch: Scratch) -> None:
    text = "x" * 6_000_000
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": number, "text": text} for number in range(4)])
        commands.update(
            scratch.name,
            [
                *({"q": {"_id": number}, "u": {"n": number, "text": text}} for number in range(1, 4)),
                {"q": {"_id": 0}, "u": {"$set": {"n": 0}}},
                {"q": {"_id": 4}, "u": {"n": 4}, "upsert": True},
            ],
        )
        commands.commit()
    assert [row["n"] for row in scratch.rows] == list(range(5))


async def test_a_connection_that_is_lost_ends_the_transaction_and_no_other(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.settle()
        lose_connection(commands)
        with pytest.raises(ConnectionFailure) as raised:
            commands.insert(scratch.name, [{"_id": 2}])
        assert is_ended(raised.value)
        commands.session.abort_transaction()
    write_one(scratch, {"_id": 3})
    assert scratch.rows == [{"_id": 3}]


async def test_a_commit_whose_connection_is_lost_is_asked_for_again(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.settle()
        lose_connection(commands)
        commands.commit()
        commands.commit()  # whoever does not know what became of it asks again
    assert scratch.rows == [{"_id": 1}]


async def test_a_commit_of_what_has_ended_fails_as_the_drivers(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.run({"abortTransaction": 1}, "admin")
        with pytest.raises(OperationFailure) as raised:
            commands.commit()
        assert is_ended(raised.value)
    assert scratch.rows == []


async def test_it_takes_few_lines_of_python(scratch: Scratch) -> None:
    for number in range(3):
        lines = _lines_of(scratch, number)
    assert lines < MOST_LINES


def _lines_of(scratch: Scratch, number: int) -> int:
    with scratch.transaction() as commands, counted_steps(ours=False) as lines:
        commands.post(change(scratch, "n", upsert=True), seen=lambda _answer: None)
        commands.insert(scratch.name, [{"_id": f"row {number}"}])
        commands.commit()
    return lines.count
