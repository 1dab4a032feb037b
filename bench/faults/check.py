"""What must be true at the end, from what writers noted and what the server answers. Standard library only.

own field      each writer has a field of its own in documents that all change. At the end it is the number of its
               last edit that was acknowledged.
shared field   all writers write it. Each acknowledged value is the last one, or somebody who saw it wrote another
               one over it, or a conflict record that a client can read has it as `dropped`.
cursor         who follows the changes has what the whole map has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHARED: str = "title"
"""The field that all write."""


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


Documents = Mapping[str, Mapping[str, Any]]


def findings(
    edits: Sequence[Edit], documents: Documents, dropped: Mapping[str, Iterable[Any]], writers: Iterable[str]
) -> list[str]:
    """A line for each edit that is missing. `dropped`: by document, the values that conflict records hold."""
    return [*_own_fields(edits, documents, writers), *_shared_field(edits, documents, dropped)]


def _own_fields(edits: Sequence[Edit], documents: Documents, writers: Iterable[str]) -> list[str]:
    last: dict[tuple[str, str], int] = {}
    for edit in edits:
        place = edit.document, edit.writer
        last[place] = max(last.get(place, 0), edit.number)
    found = []
    for document, state in documents.items():
        for writer in writers:
            number = last.pop((document, writer), None)
            if state.get(writer) != number:
                found.append(f"{document}: the field of {writer} is {state.get(writer)}, not {number}")
    return [
        *found,
        *(f"{document}: is missing, {writer} wrote {number}" for (document, writer), number in last.items()),
    ]


def _shared_field(edits: Sequence[Edit], documents: Documents, dropped: Mapping[str, Iterable[Any]]) -> list[str]:
    written_over: defaultdict[str, set[str | None]] = defaultdict(set)
    for edit in edits:
        if edit.saw != edit.value:
            written_over[edit.document].add(edit.saw)
    found = []
    for edit in edits:
        stands = documents.get(edit.document, {}).get(SHARED) == edit.value
        recorded = edit.value in dropped.get(edit.document, ())
        if not stands and not recorded and edit.value not in written_over[edit.document]:
            found.append(f"{edit.document}: {edit.value!r} stands nowhere, nobody saw it, and no conflict records it")
    return found


def cursor_findings(followed: Mapping[str, str], whole: Mapping[str, str]) -> list[str]:
    """`followed`: by one who reads only what changed since; `whole`: the map at the end."""
    names = sorted(name for name in followed.keys() | whole.keys() if followed.get(name) != whole.get(name))
    return [f"{name}: who follows the changes has {followed.get(name)}, not {whole.get(name)}" for name in names]
