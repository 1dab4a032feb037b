"""What an upstream without a server keeps of each document, and how it decides: the server's rules, on a record.

A folder keeps the entries in a database beside its files, a repository as files in its tree. Both decide under a
lock or an atomic exchange of their own; nothing here does any input or output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from client.engine.records import Answer, Pending, Refused
from shared import wire
from shared.core.conflict_rows import ConflictRow, conflict_rows
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Sequence
from shared.core.memory import (
    BEGINNING,
    CREATED,
    MAX_PAIRS,
    Decision,
    Head,
    Memory,
    Missing,
    Pair,
    Refusal,
    Stored,
    Submission,
    ValueKey,
    make_rev,
)
from shared.core.policies import NO_POLICIES, Policies
from shared.core.resolve import resolve

BODIES: Final = 16
"""Of so many earlier states the bodies are kept; clients bring that of their base along."""
PAST: Final = 128
"""So many earlier states are remembered at all."""


@dataclass(frozen=True, slots=True)
class Told:
    """What people want to know of a state."""

    by: str
    at: float
    outcome: str
    rule: str
    parents: tuple[str, ...] = ()
    conflicts: tuple[ConflictRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """A superseded head, or a received state that never was one (`until` BEGINNING)."""

    sequence: Sequence
    hash: ContentHash
    body: Body | None
    until: Sequence
    told: Told
    deleted: bool = False
    pairs: tuple[Pair, ...] = ()
    gone: frozenset[ValueKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """One document. `past`: the newest last."""

    head: Head
    told: Told
    past: tuple[Past, ...] = ()

    @property
    def hash(self) -> ContentHash | None:
        """None: it is not live."""
        return self.head.hash if self.head.body is not None else None


def submission_of(document: DocumentId, pending: Pending, device: str, at: float) -> Submission:
    """A state as it arrives."""
    return Submission(
        document, pending.body, pending.hash, at, pending.base, pending.shadow, DeviceId(device), single_device=True
    )


def head_of(entry: Entry | None) -> Answer:
    """What is answered to who sends nothing."""
    if entry is None:
        return Answer(None, None, CREATED, "unchanged", "1 null")
    return Answer(entry.head.body, entry.hash, entry.head.rev, "unchanged", "1 null")


def decide(
    entry: Entry | None, submission: Submission, sequence: Sequence, policies: Policies = NO_POLICIES
) -> tuple[Entry | None, Answer | Refused]:
    """The entry after the submission - itself if nothing is to be stored - and the answer. `sequence`: the next."""
    memory = Memory(entry.head if entry else None)
    while isinstance(found := resolve(memory, submission, policies, hash_of=wire.content_hash), Missing):
        memory = _loaded(entry, memory, submission, found)
    if isinstance(found, Refusal):
        return entry, Refused(found.code, found.rule)
    rows = conflict_rows(found.conflicts, policies)
    rev = found.rev(sequence)
    answer = Answer(found.state, found.hash, rev, str(found.outcome), found.rule, tuple(dict(row) for row in rows))
    return _applied(entry, found, submission, sequence, rows), answer


def story(entry: Entry) -> list[dict[str, Any]]:
    """Newest first, in the form of `GET /task/{id}/revisions`."""
    rows = [
        _row(
            entry.head.sequence,
            entry.head.hash,
            entry.head.body,
            entry.told,
            deleted=entry.head.body is None,
            received=False,
        )
    ]
    for past in reversed(entry.past):
        received = past.until == BEGINNING
        rows.append(_row(past.sequence, past.hash, past.body, past.told, deleted=past.deleted, received=received))
    return rows


def _row(
    sequence: Sequence, content: ContentHash, body: Body | None, told: Told, *, deleted: bool, received: bool
) -> dict[str, Any]:
    return {
        "rev": None if received else make_rev(sequence, content, deleted=deleted),
        "hash": content,
        "deleted": deleted,
        "received": received,
        "has_body": body is not None,
        "device": told.by,
        "at": told.at,
        "outcome": told.outcome,
        "rule": told.rule,
        "parents": list(told.parents),
        "conflicts": list(told.conflicts),
    }


def body_of(entry: Entry, content: str) -> Body | None:
    """Of the newest state with this hash."""
    if entry.hash == content:
        return entry.head.body
    return next((past.body for past in reversed(entry.past) if past.hash == content and past.body), None)


def _loaded(entry: Entry | None, memory: Memory, request: Submission, missing: Missing) -> Memory:
    past = entry.past if entry else ()
    pairs, since = memory.pairs, missing.pairs_since
    if since is not None:
        pairs = tuple(p for one in past if one.sequence >= since for p in one.pairs if p.device == request.device)
    recent = memory.recent
    if missing.recent:
        newest = sorted((one for one in past if one.body is not None), key=lambda one: one.sequence, reverse=True)
        recent = tuple(_stored(one) for one in newest)
    gone = frozenset[ValueKey]().union(*(one.gone for one in past))
    return replace(
        memory,
        states={**memory.states, **{content: _newest(past, content) for content in missing.states}},
        pairs=pairs,
        seen={**memory.seen, **{key: key in gone for key in missing.seen}},
        recent=recent,
    )


def _newest(past: tuple[Past, ...], content: ContentHash) -> Stored | None:
    found = [one for one in past if one.hash == content and not one.deleted]
    if not found:
        return None
    newest = max(found, key=lambda one: (one.until, one.sequence))
    body = next((one.body for one in found if one.body is not None), None)
    return replace(_stored(newest), body=body)


def _stored(past: Past) -> Stored:
    return Stored(past.hash, past.body, past.sequence, past.until)


def _applied(
    entry: Entry | None, decision: Decision, request: Submission, sequence: Sequence, rows: tuple[ConflictRow, ...]
) -> Entry | None:
    if not decision.writes:
        return entry
    at, new, kept = request.arrived_at, decision.revision, decision.received
    told = Told(str(request.device), at, str(decision.outcome), decision.rule, new.parents if new else (), rows)
    past = list(entry.past) if entry else []
    head = entry.head if entry else None
    if kept is not None:
        shown = told if new is None else replace(told, conflicts=())
        past.append(
            Past(head.sequence if head else BEGINNING, kept.hash, kept.body, BEGINNING, shown, gone=kept.gone)
        )
    if new is not None:
        if head is not None and entry is not None:
            past.append(
                Past(
                    head.sequence,
                    head.hash,
                    head.body,
                    sequence,
                    entry.told,
                    deleted=head.body is None,
                    pairs=head.pairs,
                    gone=new.gone,
                )
            )
        return Entry(Head(sequence, new.hash, new.body, at, new.pairs), told, _bounded(past))
    if entry is None:
        return None
    head = entry.head
    if decision.pair is not None:
        head = replace(head, pairs=(*head.pairs, decision.pair)[-MAX_PAIRS:])
    return Entry(head, entry.told, _bounded(past))


def _bounded(past: list[Past]) -> tuple[Past, ...]:
    past = past[-PAST:]
    return tuple(replace(one, body=None) if one.body is not None else one for one in past[:-BODIES]) + tuple(
        past[-BODIES:]
    )


# As JSON


def dump(entry: Entry, *, with_head: bool = True) -> bytes:
    """`with_head` False: the head's body stands elsewhere."""
    head = entry.head
    return wire.dumps(
        {
            "head": [
                head.sequence,
                head.hash,
                head.body if with_head else None,
                head.body is not None,
                head.arrived_at,
            ],
            "pairs": [_dumped_pair(pair) for pair in head.pairs],
            "told": _dumped_told(entry.told),
            "past": [
                [
                    one.sequence,
                    one.hash,
                    one.body,
                    one.until,
                    _dumped_told(one.told),
                    one.deleted,
                    [_dumped_pair(pair) for pair in one.pairs],
                    sorted(one.gone),
                ]
                for one in entry.past
            ],
        }
    )


def load(data: bytes, body: Body | None = None) -> Entry:
    """`body`: of the head, if it was dumped without. Raises ValueError for anything else."""
    try:
        value: Mapping[str, Any] = wire.loads(data)
        sequence, content, inside, live, at = value["head"]
        pairs = tuple(Pair(*pair) for pair in value["pairs"])
        head = Head(sequence, content, (inside if inside is not None else body) if live else None, at, pairs)
        past = tuple(_past(*one) for one in value["past"])
        return Entry(head, _told(value["told"]), past)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no entry of a ledger: {error}") from error


def _past(
    sequence: Sequence,
    content: ContentHash,
    body: Body | None,
    until: Sequence,
    told: list[Any],
    *rest: Any,
) -> Past:
    deleted, pairs, gone = rest
    return Past(
        sequence, content, body, until, _told(told), deleted, tuple(Pair(*pair) for pair in pairs), frozenset(gone)
    )


def _dumped_pair(pair: Pair) -> list[Any]:
    return [pair.device, pair.base, pair.hash, pair.since, pair.at]


def _dumped_told(told: Told) -> list[Any]:
    return [told.by, told.at, told.outcome, told.rule, list(told.parents), list(told.conflicts)]


def _told(row: list[Any]) -> Told:
    return Told(row[0], row[1], row[2], row[3], tuple(row[4]), tuple(row[5]))
