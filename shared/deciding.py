"""Many submissions of one space, decided and stored in one transaction: what a worker does with a batch, and what a
client does that has a database and no server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared import wire
from shared.core.batch import Change, Item, Write, answer, live_change, waves
from shared.core.brake import NO_DELETIONS, Deletions, held_back
from shared.core.conflict_rows import ConflictRow, conflict_rows
from shared.core.documents import DeviceId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.memory import Decision, Memory, Missing, Outcome, Refusal, Submission
from shared.core.policies import Policies
from shared.core.resolve import resolve
from shared.core.size_limit import within_limit
from shared.core.values import Value
from shared.large import TURN, is_large
from shared.ports import Announcement, Reply, Transaction

MAX_ANNOUNCED: Final = 200
"""Changes that an announcement says one by one."""
_ROUNDS: Final = 8
"""Rounds of reads that a decision may take; the rules need three (shared/core/memory.py)."""


def decide(transaction: Transaction, judge: Judge, items: Sequence[Item]) -> tuple[list[Reply], Announcement | None]:
    """The replies, in order, with everything stored in the transaction; and what is to be announced of it."""
    policies = transaction.policies()
    replies: dict[int, Reply] = {}
    changes: dict[SequenceNumber, Change] = {}
    for indices in waves(items):
        wave = [items[index] for index in indices]
        replies.update(zip(indices, _decide_wave(transaction, judge, policies, wave, changes), strict=True))
    return [replies[index] for index in range(len(items))], _announcement(changes)


def _announcement(changes: Mapping[SequenceNumber, Change]) -> Announcement | None:
    if not changes:
        return None
    newest = {change.document: change for change in changes.values()}  # in the order of their sequences
    said = tuple(newest.values()) if len(newest) <= MAX_ANNOUNCED else None
    return Announcement(min(changes), max(changes), said)


def _decide_wave(
    transaction: Transaction,
    judge: Judge,
    policies: Policies,
    items: Sequence[Item],
    changes: dict[SequenceNumber, Change],
) -> list[Reply]:
    """Items of different documents. `changes` gets the new heads, by their sequences."""
    memories = transaction.memories([item.submission for item in items])
    verdicts = _resolved(transaction, judge, policies, items, memories)
    results = [verdict.result for verdict in verdicts]
    deletions = _braked(transaction, items, results)
    stored = [
        (index, result)
        for index, result in enumerate(results)
        if isinstance(result, Decision) and result.writes and not items[index].dry_run
    ]
    revs = {}
    if stored:
        new = [(index, result) for index, result in stored if result.revision is not None]
        change = sum(live_change(result, _is_live(memories[index])) for index, result in new)
        first = transaction.allot(len(new), change)
        numbers = {index: SequenceNumber(first + place) for place, (index, _) in enumerate(new)}
        revs = {index: result.rev(numbers.get(index)) for index, result in stored}
        writes = [Write(items[index], result, revs[index], verdicts[index].conflicts) for index, result in stored]
        transaction.write(first, writes, deletions)
        for index, decision in new:
            document, revision = items[index].submission.document, decision.revision
            if revision is not None:
                content = None if revision.body is None else revision.hash
                changes[numbers[index]] = Change(document, content, revs[index], revision.body)
    replies: list[Reply] = []
    for index, result in enumerate(results):
        if isinstance(result, Refusal):
            replies.append(result)
            continue
        rev = revs.get(index) or (result.rev(None) if result.revision is None else None)
        replies.append(answer(items[index], result, rev, verdicts[index].conflicts))
    return replies


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A decision, and what is told of its conflicts."""

    result: Decision | Refusal
    conflicts: tuple[ConflictRow, ...] = ()


_Case = tuple[Memory, Submission]


class Judge:
    """Decides the submissions of a batch. If they are large it remembers what it decided, because the transaction may
    have to begin again. That is sound: the rules are pure."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._known: list[tuple[Sequence[_Case], Policies, list[_Verdict | Missing]]] = []

    @property
    def learned(self) -> int:
        """How many times something large was decided."""
        return len(self._known)

    def verdicts(self, cases: Sequence[_Case], policies: Policies) -> list[_Verdict | Missing]:
        if not is_large(_bodies(cases)):
            return self._decided(cases, policies)
        for asked, by, found in self._known:
            if asked == cases and by == policies:
                return found
        with TURN:
            found = self._decided(cases, policies)
        self._known.append((cases, policies, found))
        return found

    def _decided(self, cases: Sequence[_Case], policies: Policies) -> list[_Verdict | Missing]:
        return [self._verdict(memory, request, policies) for memory, request in cases]

    def _verdict(self, memory: Memory, request: Submission, policies: Policies) -> _Verdict | Missing:
        found = resolve(memory, request, policies, hash_of=wire.content_hash)
        if isinstance(found, Missing):
            return found
        if isinstance(found, Decision):
            found = within_limit(found, memory, request, self._most_bytes, lambda body: len(wire.canonical(body)))
        if isinstance(found, Refusal):
            return _Verdict(found)
        return _Verdict(found, conflict_rows(found.conflicts, policies))


def _bodies(cases: Sequence[_Case]) -> Iterator[Value]:
    """What the rules may compare."""
    for memory, request in cases:
        stored = (*memory.states.values(), *(memory.recent or ()))
        bodies = [memory.head.body if memory.head else None, *(s.body for s in stored if s)]
        if isinstance(request.base_state, dict):
            bodies.append(request.base_state)
        yield request.client_state
        yield from bodies


def _resolved(
    transaction: Transaction,
    judge: Judge,
    policies: Policies,
    items: Sequence[Item],
    memories: Sequence[Memory],
) -> list[_Verdict]:
    """Decides each, loading for all of them together what is missing."""
    current = list(memories)
    results: dict[int, _Verdict] = {}
    todo = list(range(len(items)))
    for _ in range(_ROUNDS):
        wanted: list[tuple[int, Missing]] = []
        cases = [(current[index], items[index].submission) for index in todo]
        for index, found in zip(todo, judge.verdicts(cases, policies), strict=True):
            if isinstance(found, Missing):
                wanted.append((index, found))
            else:
                results[index] = found
        if not wanted:
            return [results[index] for index in range(len(items))]
        loaded = transaction.load([(current[index], items[index].submission, missing) for index, missing in wanted])
        todo = [index for index, _ in wanted]
        for index, memory in zip(todo, loaded, strict=True):
            current[index] = memory
    raise RuntimeError("a decision asks for ever more")


def _braked(
    transaction: Transaction,
    items: Sequence[Item],
    results: list[Decision | Refusal],
) -> Mapping[DeviceId, Deletions]:
    """Puts a Refusal in place of deletions that must be confirmed first; what to remember of the others."""
    deleting = [
        index
        for index, result in enumerate(results)
        if isinstance(result, Decision) and result.outcome is Outcome.DELETED and not items[index].dry_run
    ]
    if not deleting:
        return {}
    counted = transaction.deletions({items[index].by for index in deleting})
    changed: dict[DeviceId, Deletions] = {}
    live = transaction.live()
    for index in deleting:
        item = items[index]
        after = counted.get(item.by, NO_DELETIONS).one_more(item.submission.arrived_at)
        if item.confirmed:
            continue
        if held_back(after, live):
            results[index] = Refusal("deletions-held", "too many deletions in a short time")
            continue
        counted[item.by] = changed[item.by] = after
        live -= 1
    return changed


def _is_live(memory: Memory) -> bool:
    return memory.head is not None and memory.head.body is not None
