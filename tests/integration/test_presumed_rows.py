"""A worker's process counts on from how it left the row of a space in its last transaction. Whatever was changed
there meanwhile has to be seen: else an edit is lost, or two documents get one sequence."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pymongo.client_session import ClientSession
from pymongo.synchronous.pool import Connection

from shared.adapters.mongodb import MongoDocumentStore, opened, transactions
from shared.adapters.mongodb.answers import AnswerReader
from shared.adapters.mongodb.client import Mongo
from shared.core.documents import Body, Epoch, Position, SequenceNumber
from shared.core.merge.policies import parse
from shared.core.resolution.context import Outcome
from shared.core.resolution.retention import Retention
from shared.ports import FencedError
from shared.settings import Settings
from tests.instance import Instance
from tests.integration.truth import hasty_transactions
from tests.integration.writers import DEVICES, Writer, submission, two_writers
from tests.patience import STORE_TIMEOUT_SECONDS


class World:
    """A space, two workers of it, and what the database has of it."""

    def __init__(self, writers: list[Writer], mongo: Mongo) -> None:
        self.writer, self.other = writers
        self.mongo = mongo
        self.store = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)
        self.space = self.writer.space

    async def row(self) -> dict[str, Any]:
        return await self.mongo.database["spaces"].find_one({"_id": self.space}) or {}

    async def change(self, update: dict[str, Any]) -> None:
        await self.mongo.database["spaces"].update_one({"_id": self.space}, update)

    async def heads(self) -> list[dict[str, Any]]:
        found = self.mongo.database["documents"].find({"space": self.space})
        return [row async for row in found]

    async def is_intact(self) -> bool:
        """Each head has a sequence of its own, and the row of the space counts what there is."""
        row, heads = await self.row(), await self.heads()
        sequences = [head["seq"] for head in heads]
        live = [head for head in heads if "body" in head]
        return (
            len(set(sequences)) == len(sequences)
            and row["sequence"] == max(sequences)
            and row["live"] == len(live)
            and row["size"] == sum(head["size"] for head in live)
        )


@pytest.fixture(params=[False, True], ids=["", "told"])
async def world(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[World]:
    async with two_writers(settings, told=request.param) as writers, opened(settings) as mongo:
        yield World(writers, mongo)


async def test_what_nobody_has_changed_is_decided_once(world: World) -> None:
    [made], _ = await world.writer.write(submission({"id": "a", "n": 0}))
    assert world.writer.runs == 1
    for n in range(1, 4):
        [made], _ = await world.writer.write(submission({"id": "a", "n": n}, made.rev))
        await world.writer.write(submission({"id": f"b{n}"}))
        assert (made.outcome, world.writer.runs) == (Outcome.FAST_FORWARD, 1)
        assert await world.is_intact()
    several = [submission({"id": "a", "n": 3, device: 1}, made.rev, device) for device in DEVICES]
    for _ in range(2):  # counts that follow in the same transaction are known as well
        await world.writer.write(*several, submission({"id": f"c{n}"}))
        several = []
        n += 1
        assert world.writer.runs == 1
    assert await world.is_intact()


async def test_a_space_that_a_worker_has_made_is_known_to_it(settings: Settings) -> None:
    async with two_writers(settings, told=False) as [writer, _]:
        for n in range(3):
            await writer.write(submission({"id": f"a{n}"}))
            assert writer.runs == 1


async def test_a_single_write_waits_twice(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    async with two_writers(settings, told=False) as [writer, _]:
        [made], _ = await writer.write(submission({"id": "a", "n": 0}))
        for kind, name in ((Connection, "send_message"), (AnswerReader, "read")):
            its = getattr(kind, name)

            def noted(self: Any, *arguments: Any, its: Any = its, name: str = name) -> Any:
                steps.append(name[0])
                return its(self, *arguments)

            monkeypatch.setattr(kind, name, noted)
        await writer.write(submission({"id": "b"}))
        assert "".join(steps) == "ssrr" + "sr"
        steps.clear()
        [made], _ = await writer.write(submission({"id": "a", "n": 1}, made.rev))
        assert "".join(steps) == "sssrrr" + "sr"


# What may be changed meanwhile


async def _written_by_another(world: World) -> None:
    world.other.leased(2)
    await world.other.write(submission({"id": "c"}))
    world.writer.leased(3)


async def _written_by_an_earlier_release(world: World) -> None:
    """That gives its transactions no names."""
    await world.change({"$inc": {"sequence": 1, "batches": 1}})


async def _policies(world: World) -> None:
    await world.store.set_policies(world.space, parse({"/n": ["max"]}))


async def _pruned(world: World) -> None:
    await world.store.prune(world.space, Retention(days=1, bytes_per_space=0, hash_days=10**6), 1e9)


async def _counted_again(world: World) -> None:
    """Of `count_sizes`: it changes no name and no count of transactions."""
    await world.change({"$inc": {"batches": 1}, "$set": {"unsized": 1}})
    await world.writer.write(submission({"id": "d"}))
    await world.change({"$set": {"unsized": 0}})
    await world.change({"$inc": {"size": 5, "batches": -1, "sized": -1}})
    await world.change({"$inc": {"size": -5, "sized": 1}})


async def _size(world: World) -> None:
    await world.change({"$inc": {"history_size": 5}})


async def _without_a_name(world: World) -> None:
    await world.change({"$unset": {"transaction": ""}})


async def _another_name(world: World) -> None:
    await world.change({"$set": {"transaction": "0" * 16}})


async def _another_fence(world: World) -> None:
    """Of a worker that has the lease no more: it wrote nothing."""
    await world.change({"$set": {"fence": [0, "another"]}})


async def _another_sequence(world: World) -> None:
    await world.change({"$inc": {"sequence": 1}})


async def _another_history(world: World) -> None:
    """Begun by a process of the API that knows more than the database has."""
    row = await world.row()
    known = Position(Epoch(row["epoch"]), SequenceNumber(row["sequence"] + 5))
    await world.store.begin_history(world.space, known)


async def _another_process(world: World) -> None:
    await world.change({"$set": {"process": "0" * 24}})


async def _a_field_of_another_release(world: World) -> None:
    await world.change({"$set": {"another": {"n": 1}}})


CHANGES = [
    _written_by_another,
    _written_by_an_earlier_release,
    _policies,
    _pruned,
    _counted_again,
    _size,
    _without_a_name,
    _another_name,
    _another_fence,
    _another_sequence,
    _another_history,
    _another_process,
    _a_field_of_another_release,
]


@pytest.mark.parametrize("changed", CHANGES)
@pytest.mark.parametrize("edits", [False, True], ids=["new", "edit"])
async def test_what_was_changed_meanwhile_is_seen(
    world: World, changed: Callable[[World], Awaitable[None]], edits: bool
) -> None:
    writer = world.writer
    [made], _ = await writer.write(submission({"id": "a", "n": 0}))
    [made], _ = await writer.write(submission({"id": "a", "n": 1}, made.rev))
    await changed(world)
    before = await world.row()
    if edits:
        [answer], _ = await writer.write(submission({"id": "a", "n": 2}, made.rev))
    else:
        [answer], _ = await writer.write(submission({"id": "b"}))
    assert writer.runs == 2
    after = await world.row()
    assert after["sequence"] == before["sequence"] + 1 and after["batches"] == before["batches"] + 1
    assert answer.rev is not None and answer.rev.startswith((f"{after['sequence']}-", f"{after['sequence']}."))
    assert await world.is_intact()
    # What was learned holds for the next one.
    await writer.write(submission({"id": "e"}))
    assert writer.runs == 1 and await world.is_intact()


async def test_a_new_history_begins_where_another_process_takes_the_writes(world: World) -> None:
    await world.writer.write(submission({"id": "a"}))
    before = await world.row()
    await _another_process(world)
    await world.writer.write(submission({"id": "b"}))
    after = await world.row()
    assert "histories" not in before and len(after["histories"]) == 2


async def test_a_new_history_begins_where_the_worker_sees_another_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it has written there."""
    await world.writer.write(submission({"id": "a"}))
    monkeypatch.setattr(Mongo, "process", lambda _mongo: "0" * 24)
    await world.writer.write(submission({"id": "b"}))
    assert len((await world.row())["histories"]) == 2
    await world.writer.write(submission({"id": "c"}))
    row = await world.row()
    assert len(row["histories"]) == 2 and row["process"] == "0" * 24
    assert await world.is_intact()


async def test_a_database_that_was_put_back_begins_a_new_history(world: World) -> None:
    await world.writer.write(submission({"id": "a"}))
    row = await world.row()
    await world.writer.write(submission({"id": "b"}))
    await world.mongo.database["documents"].delete_one({"_id": f"{world.space}/b"})
    await world.mongo.database["spaces"].replace_one({"_id": world.space}, row)
    await world.writer.write(submission({"id": "c"}))
    assert world.writer.runs == 2 and len((await world.row())["histories"]) == 2
    assert await world.is_intact()


async def test_a_space_that_was_dropped_begins_again(world: World) -> None:
    await world.writer.write(submission({"id": "a"}))
    before = await world.row()
    await world.store.drop(world.space)
    [answer], _ = await world.writer.write(submission({"id": "b"}))
    after = await world.row()
    assert world.writer.runs == 2 and after["epoch"] != before["epoch"]
    assert answer.rev is not None and answer.rev.startswith("1.") and await world.is_intact()


async def test_a_worker_whose_lease_another_one_has_writes_nothing(world: World) -> None:
    await world.writer.write(submission({"id": "a"}))
    world.other.leased(2)
    await world.other.write(submission({"id": "b"}))
    for _ in range(2):
        with pytest.raises(FencedError) as raised:
            await world.writer.write(submission({"id": "c"}))
        assert raised.value.number == 2
    assert len(await world.heads()) == 3 and await world.is_intact()


async def test_what_is_decided_by_new_policies_is_stored(world: World) -> None:
    first: Body = {"id": "a", "n": 5}
    [made], _ = await world.writer.write(submission(first))
    await world.writer.write(submission({"id": "a", "n": 9}, made.rev))
    await _policies(world)
    [merged], _ = await world.writer.write(submission({"id": "a", "n": 7}, made.rev, DEVICES[1]))
    assert merged.body == {"id": "a", "n": 9}


async def test_where_others_write_too_nothing_is_decided_in_vain_for_long(world: World) -> None:
    """What a worker knows of the row it uses within a lease: between two of them another worker may have had one."""
    for number in range(2, 12):
        writer = (world.writer, world.other)[number % 2]
        writer.leased(number)
        await writer.write(submission({"id": f"a{number}"}))
        assert writer.runs == 1 or number < 6
        await writer.write(submission({"id": f"b{number}"}))
        assert writer.runs == 1
    assert await world.is_intact()


@pytest.mark.parametrize("seed", range(3))
async def test_workers_that_take_turns_and_changes_between_them(world: World, seed: int) -> None:
    chosen = random.Random(seed)
    revs: dict[str, str | None] = {}
    for step in range(40):
        writer = chosen.choice([world.writer, world.writer, world.other])
        writer.leased(step + 2)
        wanted = {chosen.choice("abcdefgh") for _ in range(chosen.randint(1, 3))}
        sent = [submission({"id": one, "n": step}, revs.get(one, "0")) for one in sorted(wanted)]
        answers, _ = await writer.write(*sent)
        for one, answer in zip(sorted(wanted), answers, strict=True):
            assert answer.same
            revs[one] = answer.rev
        if not chosen.randrange(4):
            await chosen.choice([_without_a_name, _another_name, _another_fence, _another_sequence])(world)
            await world.writer.store.usage([world.space])
        row, heads = await world.row(), await world.heads()
        sequences = [head["seq"] for head in heads]
        assert len(set(sequences)) == len(sequences) and row["sequence"] >= max(sequences)


@pytest.mark.parametrize("seed", [0, 1, 10])
async def test_workers_that_take_turns_in_a_space_to_which_everything_happens(settings: Settings, seed: int) -> None:
    """Every edit is answered, whatever it rests on; only who has lost the lease decides nothing."""
    chosen = random.Random(seed)
    revs: dict[str, str | None] = {}
    known_then = revs
    put_back: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = []
    async with two_writers(settings, told=False) as writers, opened(settings) as mongo:
        world = World(writers, mongo)
        store, space = world.store, world.space
        rows_of = {"spaces": {"_id": space}, "documents": {"space": space}, "revisions": {"space": space}}
        for step in range(80):
            writer = chosen.choice(writers)
            if chosen.random() < 0.6:
                writer.leased(step + 2)
            wanted = chosen.sample("abcdef", chosen.randint(1, 3))
            bases = [revs.get(one) if chosen.random() < 0.8 else "0" for one in wanted]
            device = chosen.choice(DEVICES[:2])
            sent = [submission({"id": one, "n": step}, base, device) for one, base in zip(wanted, bases, strict=True)]
            try:
                answers, _ = await writer.write(*sent)
            except FencedError:
                continue
            revs.update({one: answer.rev for one, answer in zip(wanted, answers, strict=True)})
            assert await world.is_intact(), step
            match chosen.randrange(12):
                case 0:
                    await store.set_policies(space, parse({"/n": [chosen.choice(["max", "min"])]}))
                case 1:
                    kept = Retention(days=1, bytes_per_space=chosen.choice([0, 1]), hash_days=10**6)
                    await store.prune(space, kept, now=chosen.choice([1.0, 1e9]))
                case 2:
                    await store.count_sizes(space)
                case 3 if chosen.random() < 0.4:
                    await store.drop(space)
                    revs, put_back = {}, []
                case 4:
                    known_then = dict(revs)
                    put_back = [
                        (name, query, [row async for row in mongo.database[name].find(query)])
                        for name, query in rows_of.items()
                    ]
                case 5:
                    for name, query, rows in put_back:
                        await mongo.database[name].delete_many(query)
                        if rows:
                            await mongo.database[name].insert_many(rows)
                    revs, put_back = known_then if put_back else revs, []
                case 6 if row := await world.row():
                    ahead = SequenceNumber(row["sequence"] + 3)
                    await store.begin_history(space, Position(Epoch(row["epoch"]), ahead))


@pytest.mark.parametrize("answers", [0, 1])
async def test_a_worker_that_is_killed_before_the_answers_has_written_nothing(
    server: Instance, settings: Settings, monkeypatch: pytest.MonkeyPatch, answers: int
) -> None:
    class KilledError(BaseException):
        pass

    async with two_writers(settings, told=False) as [writer, other], opened(settings) as mongo:
        world = World([writer, other], mongo)
        [made], _ = await writer.write(submission({"id": "a", "n": 0}))
        left = answers

        def read(self: AnswerReader, number: int, its: Any = AnswerReader.read) -> Any:
            nonlocal left
            if not left:
                self._connection.close_conn(None)
                raise KilledError
            left -= 1
            return its(self, number)

        with hasty_transactions(server):
            with monkeypatch.context() as patched:  # as if nothing of it ran any more
                patched.setattr(AnswerReader, "read", read)
                patched.setattr(transactions, "_abort", lambda _session: None)
                patched.setattr(ClientSession, "end_session", lambda _session: None)
                with pytest.raises(KilledError):
                    await writer.write(submission({"id": "a", "n": 1}, made.rev), submission({"id": "b"}))
            other.leased(2)
            [edited, _], _ = await other.write(submission({"id": "a", "n": 2}, made.rev), submission({"id": "b"}))
        assert edited.outcome is Outcome.FAST_FORWARD and await world.is_intact()
        assert {head["_id"].partition("/")[2] for head in await world.heads()} == {"first", "a", "b"}
