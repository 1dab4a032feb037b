"""What must be true at the end, from what clients noted and what the server answers. Standard library only.

own field      each client has a field of its own in documents that all change. At the end it is the number of its
               last edit that was acknowledged; and so it was in each answer about the document. Documents that it
               did not edit have none.
shared field   all clients write it. Each acknowledged value is the last one, or somebody who saw it wrote another
               one over it, or a conflict record that a client can read has it as `dropped`.
own documents  each client makes documents that nobody else edits. At the end each is as it was acknowledged last,
               or deleted if it was deleted.
cursor         who follows the changes has what the whole map has.
hashes         the map has the hash of each of these documents, computed here, and no other ids than there are.

Where the database was put back to an earlier moment, a value of an own field may also be in a conflict record, and so
may the deletion of an own document: a client that names no base cannot say whether what it has is older than what the
server has. If the client was then answered another number, and a copy was put back again, that record may be gone. A
value of the shared field may have been written over by somebody who had not seen it, and the record of that may have
gone with the database. If a client still had it when the database was stopped, it is in an earlier state that the
server answers; else it may be nowhere.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SHARED: str = "title"
"""The field that all write."""

Documents = Mapping[str, Mapping[str, Any]]
Dropped = Mapping[str, Sequence[tuple[str, Any]]]
"""By document: the place (a JSON pointer) and the value of each conflict record."""


@dataclass(frozen=True)
class Edit:
    """One that was acknowledged. `saw`: the value of the shared field in the state that the writer changed."""

    writer: str
    document: str
    number: int
    value: str
    saw: str | None
    began: float
    """By a clock that never goes back, as the next one, in seconds."""
    ended: float


@dataclass(frozen=True)
class SetBack:
    """An answer in which the writer's own field is not the number of its last edit."""

    writer: str
    document: str
    number: int
    answered: Any
    at: float = 0.0
    """Seconds, by the clock of edits."""


@dataclass(frozen=True)
class Noted:
    """What clients know. `own`: of the documents that one of them alone edits, who does, and the number that was
    acknowledged last; None: it is deleted."""

    writers: Sequence[str]
    edits: Sequence[Edit]
    own: Mapping[str, tuple[str, int | None]]
    set_back: Sequence[SetBack] = ()
    held_until: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Of a document and a value of the shared field: when the last client that had it got another one. Without an
    entry nobody had it."""


@dataclass(frozen=True)
class Answered:
    """What the server has at the end. `earlier`: by document, values of the shared field in earlier states."""

    documents: Documents
    dropped: Dropped
    earlier: Mapping[str, Collection[Any]] = field(default_factory=dict)
    undeleted: Collection[str] = ()
    """Documents of which a conflict record says that they stayed when somebody deleted them."""


@dataclass(frozen=True)
class Lost:
    """What was written between the moment of a copy and the one when the database was stopped to put it back."""

    copied: float
    """Before the copy was made."""
    stopped: float
    """After the last answer of the database that was lost."""


def findings(noted: Noted, answered: Answered, lost: Sequence[Lost] = ()) -> list[str]:
    """A line for whatever is not as it must be."""
    recorded = answered.dropped if lost else {}
    return [
        *_own_fields(noted, answered.documents, recorded, lost),
        *_shared_field(noted, answered, lost),
        *_own_documents(noted, answered.documents, answered.undeleted if lost else ()),
        *_answers(noted, recorded, lost),
    ]


def _own_fields(noted: Noted, documents: Documents, recorded: Dropped, lost: Sequence[Lost]) -> list[str]:
    given_up = {(one.document, one.writer, one.number) for one in noted.set_back if _is_within(one.at, lost)}
    last: dict[tuple[str, str], int] = {}
    for edit in noted.edits:
        place = edit.document, edit.writer
        last[place] = max(last.get(place, 0), edit.number)
    found = []
    for document, state in documents.items():
        if document in noted.own:
            continue
        for writer in noted.writers:
            number = last.pop((document, writer), None)
            is_known = _is_recorded(recorded, document, writer, number) or (document, writer, number) in given_up
            if state.get(writer) != number and not is_known:
                found.append(f"{document}: the field of {writer} is {state.get(writer)}, not {number}")
    return [
        *found,
        *(f"{document}: is missing, {writer} wrote {number}" for (document, writer), number in last.items()),
    ]


def _is_within(at: float, lost: Sequence[Lost]) -> bool:
    return any(one.copied <= at < one.stopped for one in lost)


def _is_recorded(dropped: Dropped, document: str, name: str, value: Any) -> bool:
    """Alone, or in a whole document that was dropped."""
    return any(
        (path == f"/{name}" and held == value) or (path == "" and isinstance(held, dict) and held.get(name) == value)
        for path, held in dropped.get(document, ())
    )


def accounts(noted: Noted, answered: Answered, lost: Sequence[Lost] = ()) -> Counter[str]:
    """How many values of the shared field are where; `missing` are nowhere, and `gone` went with the database."""
    return Counter(where for _, where in _accounted(noted, answered, lost))


def _accounted(noted: Noted, answered: Answered, lost: Sequence[Lost]) -> Iterator[tuple[Edit, str]]:
    written_over: defaultdict[str, set[str | None]] = defaultdict(set)
    for edit in noted.edits:
        if edit.saw != edit.value:
            written_over[edit.document].add(edit.saw)
    for edit in noted.edits:
        if answered.documents.get(edit.document, {}).get(SHARED) == edit.value:
            yield edit, "stands"
        elif edit.value in written_over[edit.document]:
            yield edit, "seen"
        elif _is_recorded(answered.dropped, edit.document, SHARED, edit.value):
            yield edit, "recorded"
        elif lost and edit.value in answered.earlier.get(edit.document, ()):
            yield edit, "earlier"
        else:
            held_until = noted.held_until.get((edit.document, edit.value), edit.ended)
            yield edit, "gone" if _is_within(held_until, lost) else "missing"


def _shared_field(noted: Noted, answered: Answered, lost: Sequence[Lost]) -> list[str]:
    return [
        f"{edit.document}: {edit.value!r} stands nowhere, nobody saw it, and no conflict records it"
        for edit, where in _accounted(noted, answered, lost)
        if where == "missing"
    ]


def _own_documents(noted: Noted, documents: Documents, undeleted: Collection[str]) -> list[str]:
    found = []
    for document, (writer, number) in noted.own.items():
        state = documents.get(document)
        if number is None and state is not None and document not in undeleted:
            found.append(f"{document}: is there, {writer} had deleted it")
        elif number is not None and (state is None or state.get(writer) != number):
            found.append(f"{document}: is {state}, {writer} wrote {number}")
    return found


def _answers(noted: Noted, recorded: Dropped, lost: Sequence[Lost]) -> list[str]:
    return [
        f"{one.document}: {one.writer} had sent {one.number} and was answered {one.answered}"
        for one in noted.set_back
        if not _is_recorded(recorded, one.document, one.writer, one.number) and not _is_within(one.at, lost)
    ]


def cursor_findings(followed: Mapping[str, str], whole: Mapping[str, str]) -> list[str]:
    """`followed`: by one who reads only what changed since; `whole`: the map at the end."""
    names = sorted(name for name in followed.keys() | whole.keys() if followed.get(name) != whole.get(name))
    return [f"{name}: who follows the changes has {followed.get(name)}, not {whole.get(name)}" for name in names]


def hash_findings(noted: Noted, documents: Documents, whole: Mapping[str, str]) -> list[str]:
    """Of the documents of the run. Names are ASCII, numbers whole and small: their canonical form is simple."""
    mine = {edit.document for edit in noted.edits} | noted.own.keys()
    computed = {name: _hash(state) for name, state in documents.items() if name in mine}
    wrong = [name for name, computed_hash in computed.items() if whole.get(name) != computed_hash]
    return [
        *(f"{name}: the map has {whole.get(name)}, the document's hash is {computed[name]}" for name in wrong),
        *(f"{name}: is in the map or in the documents alone" for name in whole.keys() ^ documents.keys()),
    ]


def _hash(state: Mapping[str, Any]) -> str:
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def equal_findings(who: str, held: Documents, documents: Documents) -> list[str]:
    """A client's copy at the end, once it has nothing left to send or to get."""
    names = sorted(name for name in held.keys() | documents.keys() if held.get(name) != documents.get(name))
    return [f"{name}: {who} has {held.get(name)}, the server {documents.get(name)}" for name in names]
