"""How often the database is asked for a write: counted, so a step too many shows on any machine."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from unittest.mock import Mock

import pytest

from shared.adapters.memory import MemorySpace
from shared.adapters.mongodb import opened
from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.commands import Commands
from shared.adapters.mongodb.transaction import MongoTransaction
from shared.core.documents import Body, DeviceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Outcome
from shared.core.resolution.retention import Retention
from shared.core.resolution.revs import CREATED
from shared.ports import Transaction
from shared.settings import Settings
from shared.transaction import CachedResolver, decide
from tests.integration.writers import DEVICES, Writer, submission, two_writers
from tests.patience import PATIENCE_SECONDS

A = DeviceId("a")


@pytest.fixture
async def writers(settings: Settings) -> AsyncIterator[list[Writer]]:
    async with two_writers(settings) as found:
        yield found


@pytest.fixture
def writer(writers: list[Writer]) -> Writer:
    return writers[0]


NEW = ["findAndModify spaces", "insert documents", "commitTransaction"]
EDIT = ["findAndModify spaces", "update documents", "insert revisions", "commitTransaction"]


async def test_a_new_document(writer: Writer) -> None:
    assert (await writer.write(submission({"id": "a"})))[1] == NEW


@pytest.mark.parametrize("step", ["prepare_heads", "note_heads"])
async def test_an_edit_that_is_stored_is_answered_though_its_heads_cannot_be_kept(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    [made], _ = await writer.write(submission({"id": "a"}))
    with monkeypatch.context() as patched:
        patched.setattr(MongoTransaction, step, Mock(side_effect=LookupError))
        [edited], _ = await writer.write(submission({"id": "a", "n": 1}, made.rev))
    assert {record.message for record in caplog.records} == {"preparation_failed"}
    caplog.clear()
    [again], asked = await writer.write(submission({"id": "a", "n": 2}, edited.rev))
    assert (edited.outcome, again.outcome) == (Outcome.FAST_FORWARD, Outcome.FAST_FORWARD)
    assert asked == ["find documents", *EDIT], "nothing is known of what was written before"


async def test_a_batch_of_new_documents_asks_no_more(writer: Writer) -> None:
    answers, asked = await writer.write(*(submission({"id": f"d{number}"}) for number in range(100)))
    assert len(answers) == 100 and asked == NEW


async def test_a_large_batch_is_written_in_parts(writers: list[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is at one while the next one is made; nothing is sent twice, and nothing is looked for."""
    one, another = writers
    ids = [f"d{number}" for number in range(250)]
    made, asked = await one.write(*(submission({"id": identity}) for identity in ids))
    assert asked == [NEW[0], *[NEW[1]] * 3, NEW[2]]
    edits = [submission({"id": i, "n": 1}, answer.rev) for i, answer in zip(ids, made, strict=True)]
    sizes: list[int] = []
    update = Commands.update

    def noted(self: Commands, collection: str, statements: list[Row]) -> None:
        sizes.append(len(statements))
        update(self, collection, statements)

    monkeypatch.setattr(Commands, "update", noted)
    changed, asked = await one.write(*edits)
    assert asked == ["find documents", EDIT[0], *EDIT[1:3] * 3, EDIT[3]] and sizes == [100, 100, 50]
    another.leased(2)
    seen, _ = await another.write(*(submission({"id": i, "n": 1}, made[0].rev) for i in ids))
    assert [answer.rev for answer in seen] == [answer.rev for answer in changed]
    assert {answer.outcome for answer in seen} == {Outcome.UNCHANGED}


@pytest.mark.parametrize("told", [True, False])
async def test_one_of_a_large_batch_that_is_there_already(settings: Settings, told: bool) -> None:
    async with two_writers(settings, told=told) as (one, another):
        await one.write(submission({"id": "d120"}))
        another.leased(2)
        made, _ = await another.write(*(submission({"id": f"d{number}", "n": 1}) for number in range(250)))
        assert another.runs == 2
        assert [place for place, answer in enumerate(made) if answer.rule != "new"] == [120]
        assert len({answer.rev for answer in made}) == 250


async def test_an_edit_of_what_the_worker_has_written(writer: Writer) -> None:
    [made], _ = await writer.write(submission({"id": "a", "n": 1}))
    for n in (2, 3):
        [made], asked = await writer.write(submission({"id": "a", "n": n}, made.rev))
        assert (made.outcome, asked) == (Outcome.FAST_FORWARD, EDIT)


async def test_an_edit_of_what_another_worker_has_written(writers: list[Writer]) -> None:
    one, another = writers
    [made], _ = await one.write(submission({"id": "a", "n": 1}))
    another.leased(2)
    [made], asked = await another.write(submission({"id": "a", "n": 2}, made.rev))
    assert made.outcome is Outcome.FAST_FORWARD
    assert asked[-5:] == ["find documents", *EDIT]
    one.leased(3)
    [made], asked = await one.write(submission({"id": "a", "n": 3}, made.rev))
    assert made.outcome is Outcome.FAST_FORWARD
    # It counted on the head that it had written itself, saw that somebody else has written since, and began again.
    assert "abortTransaction" in asked and asked[-5:] == ["find documents", *EDIT]


async def test_what_another_worker_has_written_is_seen_by_what_writes_nothing(writers: list[Writer]) -> None:
    one, another = writers
    [made], _ = await one.write(submission({"id": "a", "n": 1}))
    [seen], asked = await one.write(submission({"id": "a", "n": 1}, made.rev))
    assert (seen.rev, asked) == (made.rev, ["find spaces", "commitTransaction"])
    another.leased(2)
    [edited], _ = await another.write(submission({"id": "a", "n": 2}, made.rev))
    one.leased(3)
    [seen], _ = await one.write(submission({"id": "a", "n": 1}, made.rev))
    assert (seen.rev, seen.body) == (edited.rev, {"id": "a", "n": 2})


async def test_heads_of_a_database_that_was_put_back_meanwhile_are_not_known(
    writers: list[Writer], settings: Settings
) -> None:
    """Also if it has counted as many transactions again."""
    worker, other = writers
    [made], _ = await worker.write(submission({"id": "a", "n": 1}))
    async with opened(settings) as mongo:
        spaces, documents = mongo.database["spaces"], mongo.database["documents"]
        space = await spaces.find_one({"_id": worker.space})
        document = await documents.find_one({"_id": f"{worker.space}/a"})
        [edited], _ = await worker.write(submission({"id": "a", "n": 2}, made.rev))
        await spaces.replace_one({"_id": worker.space}, space or {})
        await documents.replace_one({"_id": f"{worker.space}/a"}, document or {})
    other.fence = worker.fence  # the lease is where it was
    await other.write(submission({"id": "b"}))
    [asked], _ = await worker.write(submission({"id": "a", "n": 1}, made.rev))
    assert edited.outcome is Outcome.FAST_FORWARD
    assert (asked.outcome, asked.rev) == (Outcome.UNCHANGED, made.rev)


async def test_what_came_before_is_not_known_any_more_when_some_of_it_was_removed(writer: Writer) -> None:
    [made], _ = await writer.write(submission({"id": "a", "x": 0, "y": 0}))
    await writer.write(submission({"id": "a", "x": 1, "y": 0}, made.rev))
    on_an_older_base = submission({"id": "a", "x": 0, "y": 1}, made.rev, DEVICES[1])
    [merged], asked = await writer.write(on_an_older_base, dry_run=True)
    assert (merged.body, asked) == ({"id": "a", "x": 1, "y": 1}, ["find spaces", "commitTransaction"])
    now = on_an_older_base.arrived_at + 1e9
    pruned = await writer.store.prune(writer.space, Retention(days=1, bytes_per_space=0, hash_days=10**6), now)
    assert pruned.bodies == 1
    answers, _ = await writer.write(on_an_older_base)
    assert answers == []  # but a refusal: the client has to send its base along


async def test_a_document_that_is_made_twice_is_read_before_the_second_time(writer: Writer) -> None:
    for number in range(2):
        await writer.write(submission({"id": f"a{number}", "n": 1}))
    many = [submission({"id": f"many{number}"}) for number in range(100)]
    await writer.write(*many)  # so that the worker does not know them
    [again], asked = await writer.write(submission({"id": "many1", "m": 2}, device=DEVICES[1]))
    assert again.rule == "4 created"
    assert asked[:3] == ["findAndModify spaces", "insert documents", "abortTransaction"]
    # For a while it takes nothing for new: a push that is repeated goes on so.
    repeated, asked = await writer.write(*many[2:])
    assert {one.outcome for one in repeated} == {Outcome.UNCHANGED} and asked[0] == "find documents"


async def test_a_document_taken_for_new_that_nothing_is_written_of_is_looked_for(writer: Writer) -> None:
    await writer.write(*(submission({"id": f"many{number}", "n": 1}) for number in range(100)))
    [seen], asked = await writer.write(submission({"id": "many1", "n": 2}, device=DEVICES[1]), dry_run=True)
    assert seen.rule == "4 created"
    assert asked[:3] == ["find spaces", "find documents", "abortTransaction"]


@pytest.mark.parametrize("seed", range(2))
async def test_workers_that_take_turns_decide_as_one_that_forgets_everything(
    writers: list[Writer], seed: int
) -> None:
    chosen, reference = random.Random(seed), MemorySpace()
    reference.transact(lambda found: decide(found, CachedResolver(10**6), [Item(submission({"id": "first"}), A)]))
    known: dict[tuple[DeviceId, str], tuple[str, str, Body]] = {}
    for step in range(60):
        writer = chosen.choice(writers)
        writer.leased(step + 2)
        sent, items = [], []
        for _ in range(chosen.randint(1, 4)):
            device, document = chosen.choice(DEVICES[:3]), chosen.choice("abc")
            base, its_base, body = known.get((device, document), (CREATED, CREATED, {"id": document}))
            sent.append(submission({**body, chosen.choice("xyz"): chosen.randint(0, 9)}, base, device))
            items.append(Item(replace(sent[-1], base=its_base), device))
        answers, _ = await writer.write(*sent)
        replies, _ = reference.transact(lambda found, items=items: decide(found, CachedResolver(10**6), items))  # type: ignore[misc]
        expected = [one for one in replies if isinstance(one, Answer)]
        assert [_told(one) for one in answers] == [_told(one) for one in expected]
        for one, answer, its in zip(sent, answers, expected, strict=True):
            state = one.client_state if answer.same else answer.body
            if isinstance(state, dict) and answer.rev and its.rev and one.device is not None:
                known[one.device, one.document] = (answer.rev, its.rev, state)


def _told(answer: Answer) -> tuple[object, ...]:
    """But for the names of histories, which are those of one space."""
    return answer.outcome, answer.rule, answer.hash, answer.body, answer.same, answer.conflicts


@pytest.mark.parametrize("devices", [4, 8])
@pytest.mark.parametrize("has_made_it", [True, False])
async def test_edits_of_the_same_document_are_decided_without_going_back_to_the_database(
    writers: list[Writer], devices: int, has_made_it: bool
) -> None:
    writer, another = writers
    fields = dict.fromkeys(map(str, DEVICES[:devices]), 0)
    another.leased(2)
    writer.leased(3)
    [made], _ = await (writer if has_made_it else another).write(submission({"id": "a", **fields}))
    edits = [submission({"id": "a", **fields, device: 1}, made.rev, device) for device in DEVICES[:devices]]
    answers, asked = await writer.write(*edits)
    assert [one.outcome for one in answers] == [Outcome.FAST_FORWARD, *[Outcome.MERGED] * (devices - 1)]
    last = edits[-1].client_state if answers[-1].same else answers[-1].body
    assert last == {"id": "a", **dict.fromkeys(fields, 1)}
    reads = ["find revisions"] * 3  # states by hash, pairs, values that are gone: of all edits together
    if not has_made_it:  # it counted on the row of the space, too
        assert asked[:3] == ["find documents", "findAndModify spaces", "abortTransaction"]
        asked = asked[3:]
    assert asked == [
        *([] if has_made_it else ["find documents"]),
        "findAndModify spaces",
        *([] if has_made_it else reads),
        "update spaces",  # what the later edits add to the sequences
        "update documents",
        "insert revisions",
        "commitTransaction",
    ]


async def test_edits_of_many_documents_without_a_base_ask_no_more_than_one_of_them(writer: Writer) -> None:
    """v1.0: a client that says nothing of where it has its states from."""
    bodies: list[Body] = [{"id": f"d{number}", "title": f"first {number}", "n": 0} for number in range(100)]
    await writer.write(*(submission(body, None) for body in bodies))
    for n in range(1, 11):
        bodies = [{**body, "title": f"{n} of {body['id']}, and longer", "n": n} for body in bodies]
        answers, asked = await writer.write(*(submission(body, None) for body in bodies))
        assert {one.rule for one in answers} == {"10 pick"}
        if n in (1, 8, 10):
            # On a busy machine the database may have ended it, as one that takes too long.
            last = len(asked) - asked[::-1].index("abortTransaction") if "abortTransaction" in asked else 0
            assert asked[last:] == [
                *["find documents", "find memory"],
                *["find revisions"] * 3,  # states by hash, values that are gone, the newest states
                *(["aggregate documents"] if n == 10 else []),  # of those that have more than a few
                *["findAndModify spaces", "update documents", "insert revisions"],
                *["update memory", "commitTransaction"],
            ]


@pytest.mark.parametrize("is_known", [True, False])
async def test_edits_on_older_bases_ask_for_what_all_of_them_need_at_once(
    writers: list[Writer], is_known: bool
) -> None:
    """Each device is on what it was answered last, and only the last one's is the head."""
    writer, another = writers
    fields = dict.fromkeys(map(str, DEVICES), 0)
    [made], asked = await writer.write(submission({"id": "a", **fields}))
    bodies: dict[DeviceId, Body] = {device: {"id": "a", **fields} for device in DEVICES}
    bases: dict[DeviceId, str | None] = dict.fromkeys(DEVICES, made.rev)
    for n in range(1, 5):
        if n == 4 and not is_known:
            writer = another
            writer.leased(2)
        bodies = {device: {**body, device: n} for device, body in bodies.items()}
        answers, asked = await writer.write(*(submission(bodies[one], bases[one], one) for one in DEVICES))
        for device, one in zip(DEVICES, answers, strict=True):
            bases[device] = one.rev
            if isinstance(one.body, dict):
                bodies[device] = one.body
    assert bodies[DEVICES[-1]] == {"id": "a", **dict.fromkeys(fields, 4)}
    # States by hash, pairs, states of those, the newest ones: of all edits together.
    reads = [] if is_known else ["find documents", *["find revisions"] * 4]
    asked = asked if is_known else asked[asked.index("find documents") :]  # before that it learned the policies
    assert asked == [
        *reads,
        *["findAndModify spaces", "update spaces", "update documents", "insert revisions", "commitTransaction"],
    ]


@pytest.mark.parametrize(("length", "portions"), [(20, 1), (3000, 2)])
async def test_a_long_history_is_read_in_two_portions_unless_the_head_is_small(
    writers: list[Writer], length: int, portions: int
) -> None:
    writer, another = writers
    body: Body = {"id": "a", "x": "0" * length, "y": "0" * length, "z": 0}
    [made], _ = await writer.write(submission(body))
    first = made.rev
    for n in range(40):
        [made], _ = await writer.write(submission({**body, "x": f"{n}" * length}, made.rev))
    another.leased(2)
    _, asked = await another.write(submission({**body, "z": 1}, first, DEVICES[1]))
    history = [command for command in asked if command.endswith("revisions") or command.startswith("getMore")]
    # States by hash, pairs, then the newest ones, of which eight come first; and what is written.
    assert history == [*["find revisions"] * (2 + portions), "insert revisions"]


async def test_nothing_is_held_of_what_a_transaction_has_read_when_it_is_over(writer: Writer) -> None:
    """The collector goes by how many objects there are, and would leave a few large ones for long."""
    over: list[weakref.ref[Transaction]] = []
    items = [Item(submission({"id": "first", "n": 1}, "0"), DEVICES[0])]

    def work(found: Transaction) -> None:
        over.append(weakref.ref(found))
        decide(found, CachedResolver(10**6), items)

    gc.disable()
    try:
        await writer.store.transact(writer.space, work, writer.fence)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while over[0]() is not None:
                await asyncio.sleep(0.01)  # the thread has a few more steps
    finally:
        gc.enable()
