"""What a transaction writes is sent before the answers to what came before it are read: an error comes later, and
must do what it did."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.synchronous.pool import Connection

from shared.adapters.mongodb import opened
from shared.adapters.mongodb.answers import AnswerReader
from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.faults import is_ended
from shared.settings import Settings
from tests.integration.scratch import Scratch, change, lose_connection, write_one


def noted_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """ "send" for each command of this thread from now on, and "read" for each answer. The driver has others, which
    look now and then how the server is."""
    steps: list[str] = []
    thread = threading.current_thread()
    for kind, name in ((Connection, "send_message"), (AnswerReader, "read")):
        its = getattr(kind, name)

        def noted(self: Any, *arguments: Any, its: Any = its, name: str = name) -> Any:
            if threading.current_thread() is thread:
                steps.append(name.partition("_")[0])
            return its(self, *arguments)

        monkeypatch.setattr(kind, name, noted)
    return steps


async def test_the_database_is_waited_for_once_before_the_commit(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = noted_steps(monkeypatch)
    found: list[Row] = []
    with scratch.transaction() as commands:
        steps.clear()
        commands.post(change(scratch, "n", upsert=True), seen=found.append)
        commands.insert(scratch.name, [{"_id": 1}])
        commands.update(scratch.name, [{"q": {"_id": 1}, "u": {"$set": {"n": 1}}}])
        assert not found
        commands.settle()
        commands.commit()
        assert steps == ["send"] * 3 + ["read"] * 3 + ["send", "read"]
    assert [answer["value"] for answer in found] == [None]
    assert scratch.rows == [{"_id": 1, "n": 1}, {"_id": "n", "n": 1}]


async def test_a_question_is_answered_after_what_was_sent_before_it(scratch: Scratch) -> None:
    found: list[Row] = []
    with scratch.transaction() as commands:
        commands.post(change(scratch, "n", upsert=True), seen=found.append)
        commands.insert(scratch.name, [{"_id": 1}])
        assert commands.find_one(scratch.name, {"_id": 1}, {"_id": 1}) == {"_id": 1}
        assert len(found) == 1
        commands.commit()


async def test_the_first_error_is_raised_and_what_came_after_it_is_read(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    seen: list[Row] = []
    refused: list[OperationFailure] = []
    for number in range(3):
        with scratch.transaction() as commands:
            commands.post(change(scratch, f"new {number}", upsert=True), seen=seen.append)
            commands.insert(scratch.name, [{"_id": 1}], refused.append)
            commands.post(change(scratch, 1), seen=seen.append, refused=refused.append)
            with pytest.raises(BulkWriteError) as raised:
                commands.settle()
            assert refused == [raised.value] and len(seen) == 1
            commands.session.abort_transaction()
            seen.clear()
            refused.clear()
    assert scratch.rows == [{"_id": 1}]


async def test_an_error_may_be_told_as_another_one(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})

    def refused(error: OperationFailure) -> None:
        raise LookupError from error

    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}], refused)
        with pytest.raises(LookupError):
            commands.settle()
        commands.session.abort_transaction()


async def test_what_an_answer_is_not_good_for_ends_the_transaction(scratch: Scratch) -> None:
    """The answers that nobody looked at are not those of who has the connection next."""

    def seen(_answer: Row) -> None:
        raise LookupError

    with scratch.transaction() as commands:
        commands.post(change(scratch, "n", upsert=True), seen=seen)
        commands.insert(scratch.name, [{"_id": 1}])
        commands.insert(scratch.name, [{"_id": 2}])
        with pytest.raises(LookupError):
            commands.settle()
        commands.release()
        commands.session.abort_transaction()
    assert scratch.rows == []
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 3}])
        assert commands.find_one(scratch.name, {"_id": 3}, {"_id": 1}) == {"_id": 3}
        commands.commit()
    assert scratch.rows == [{"_id": 3}]


async def test_what_is_left_without_a_look_at_its_answers_is_not_stored(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
    assert scratch.rows == []


async def test_a_commit_is_not_sent_before_all_answers_were_seen(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})

    def seen(_answer: Row) -> None:
        raise LookupError

    with scratch.transaction() as commands:
        commands.post(change(scratch, 1), seen=seen)
        with pytest.raises(LookupError):
            commands.commit()
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 2}, {"_id": 1}])
        with pytest.raises(BulkWriteError):
            commands.commit()
    assert scratch.rows == [{"_id": 1}]


async def test_something_is_done_while_the_database_commits(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = noted_steps(monkeypatch)
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.settle()
        steps.clear()
        commands.commit(lambda: steps.append("meanwhile"))
        assert steps == ["send", "meanwhile", "read"]


async def test_what_fails_meanwhile_leaves_the_connection_to_the_next_one(scratch: Scratch) -> None:
    def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError), scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        commands.commit(fails)
    write_one(scratch, {"_id": 2})
    assert {"_id": 2} in scratch.rows


@pytest.mark.parametrize("sent", [1, 3])
async def test_a_connection_that_is_lost_before_the_answers_ends_the_transaction(scratch: Scratch, sent: int) -> None:
    with scratch.transaction() as commands:
        for number in range(sent):
            commands.insert(scratch.name, [{"_id": number}])
        lose_connection(commands)
        with pytest.raises(ConnectionFailure) as raised:
            commands.settle()
        assert is_ended(raised.value)
        commands.session.abort_transaction()
    write_one(scratch, {"_id": 3})
    assert scratch.rows == [{"_id": 3}]


async def test_a_connection_that_is_lost_by_who_leaves_it_is_not_given_back(scratch: Scratch) -> None:
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        lose_connection(commands)
        commands.release()
        commands.session.abort_transaction()
    write_one(scratch, {"_id": 3})
    assert scratch.rows == [{"_id": 3}]


async def test_neither_side_waits_for_the_other_one_to_take_what_is_long(scratch: Scratch) -> None:
    text = "x" * 12_000_000
    lengths: list[int] = []
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 0, "text": text}])
        commands.commit()
    with scratch.transaction() as commands:
        commands.post(change(scratch, 0), seen=lambda answer: lengths.append(len(answer["value"]["text"])))
        commands.insert(scratch.name, [{"_id": 1, "text": text}])
        commands.commit()
    assert lengths == [len(text)] and len(scratch.rows) == 2


async def test_long_commands_with_short_answers_are_sent_ahead_too(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = noted_steps(monkeypatch)
    text = "x" * 100_000
    with scratch.transaction() as commands:
        for number in range(3):
            commands.insert(scratch.name, [{"_id": number, "text": text}])
        commands.update(scratch.name, [{"q": {"_id": 0}, "u": {"text": text}}])
        assert steps == ["send"] * 4
        commands.update(scratch.name, [{"q": {"_id": 3}, "u": {"text": text}, "upsert": True}])
        commands.insert(scratch.name, [{"_id": 4}])  # after an answer that may be long: it lists ids
        assert steps == ["send"] * 5 + ["read"] * 5 + ["send"]
        commands.commit()
    assert len(scratch.rows) == 5


async def test_many_small_ones_are_sent_together_as_far_as_a_connection_takes_them(scratch: Scratch) -> None:
    text = "x" * 1000
    with scratch.transaction() as commands:
        for number in range(500):
            commands.insert(scratch.name, [{"_id": number, "text": text}])
        commands.commit()
    assert len(scratch.rows) == 500


async def test_what_is_long_may_take_long_to_be_sent_though_an_answer_was_read_just_before(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an answer is read the socket waits for a moment only. The database may take what is sent later."""
    waits: list[float | None] = []
    its, thread = Connection.send_message, threading.current_thread()

    def noted(self: Connection, *arguments: Any) -> None:
        if threading.current_thread() is thread:
            waits.append(self.conn.get_conn.gettimeout())
        its(self, *arguments)

    monkeypatch.setattr(Connection, "send_message", noted)
    steps = noted_steps(monkeypatch)
    with scratch.transaction() as commands:
        for number in range(16):
            commands.insert(scratch.name, [{"_id": number}])
        commands.insert(scratch.name, [{"_id": 16, "text": "x" * 100_000}])
        assert steps == ["send"] * 16 + ["read", "send"]
        assert waits[-1] == waits[0]


async def test_what_is_too_long_is_not_told_why_what_came_before_it_was_refused(scratch: Scratch) -> None:
    write_one(scratch, {"_id": 1})
    refused: list[OperationFailure] = []
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [{"_id": 1}])
        with pytest.raises(BulkWriteError):
            commands.insert(scratch.name, [{"_id": n, "text": "x" * 8_000_000} for n in (2, 3)], refused.append)
        assert not refused
        commands.session.abort_transaction()


async def test_where_somebody_is_told_of_commands_each_is_waited_for(settings: Settings) -> None:
    told: list[str] = []

    class Listener(CommandListener):
        def started(self, event: CommandStartedEvent) -> None:
            told.append(event.command_name)

        def succeeded(self, event: CommandSucceededEvent) -> None:
            told.append("done")

        def failed(self, event: CommandFailedEvent) -> None:
            told.append("failed")

    async with opened(settings, [Listener()]) as mongo:
        scratch = Scratch(mongo)
        try:
            with scratch.transaction() as commands:
                told.clear()
                commands.post(change(scratch, "n", upsert=True))
                commands.insert(scratch.name, [{"_id": 1}])
                commands.commit()
                assert told == ["findAndModify", "done", "insert", "done", "commitTransaction", "done"]
            with scratch.transaction() as one:
                one.post(change(scratch, "n"))
                with scratch.transaction() as another:
                    refused: list[OperationFailure] = []
                    with pytest.raises(OperationFailure) as raised:
                        another.post(change(scratch, "n"), refused=refused.append)
                    assert is_ended(raised.value) and refused == [raised.value]
        finally:
            scratch.drop()
