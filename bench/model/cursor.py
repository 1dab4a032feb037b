"""The change feed of one space (docs/decisions/0010-cursors-are-positions.md, 0051).

Writers store documents, each with the next number of the space. A reader reads the newest number first, then the
heads beyond its cursor, one document after the other while others write; then that number is its cursor. The database
may be put back to an earlier moment; a new history begins with the next write then.

Left out: pages that end early, the caches of hash maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

DOCUMENTS = 2


class Weakness(Enum):
    """A precaution that is left out."""

    COMMIT_ANYHOW = "numbers are given out before the transaction, and transactions end in any order"
    NEWEST_LAST = "the reader reads the newest number after the heads"
    NO_HISTORIES = "a cursor is a number, whatever history it is of"


@dataclass(frozen=True)
class Stored:
    """The database. `heads`: of each document its number and its content."""

    number: int = 0
    history: int = 0
    heads: tuple[tuple[int, int], ...] = ((0, 0),) * DOCUMENTS


@dataclass(frozen=True)
class Reader:
    cursor: tuple[int, int] = (0, 0)
    """History and number."""
    has: tuple[int, ...] = (0,) * DOCUMENTS
    """Contents."""
    reading: tuple[int, int] | None = None
    """The cursor that it will have; None: it does not read."""
    place: int = 0
    """The document that it looks at next."""


@dataclass(frozen=True)
class State:
    stored: Stored = Stored()
    reader: Reader = Reader()
    copy: Stored | None = None
    writes: int = 0
    """So many; the content of a head is the number of its write, of all that there ever were."""
    open: tuple[tuple[int, int, int], ...] = ()
    """Of transactions that have a number and have not ended: document, number, content."""
    put_back: int = 0
    begins: bool = False
    """The next write begins a history."""


@dataclass(frozen=True)
class Model:
    weakness: Weakness | None = None
    writes: int = 4
    put_back: int = 1

    def initial(self) -> State:
        return State()

    def wrong(self, s: State) -> str | None:
        reader = s.reader
        history, number = reader.cursor
        if reader.reading is not None or s.begins or (history != s.stored.history and not self._forgets):
            return None
        for document, (of_head, content) in enumerate(s.stored.heads):
            if of_head <= number and reader.has[document] != content:
                return f"document {document}: the cursor is at {number}, the head is {of_head}, and it is not known"
        return None

    @property
    def _forgets(self) -> bool:
        return self.weakness is Weakness.NO_HISTORIES

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        if s.writes < self.writes:
            for document in range(DOCUMENTS):
                yield from self._write(s, document)
        for transaction in s.open:
            yield f"number {transaction[1]} is committed", self._committed(s, transaction)
        yield from self._read(s)
        if s.copy is None and s.put_back < self.put_back:
            yield "the database is copied", replace(s, copy=s.stored)
        if s.copy is not None and not s.open:
            yield (
                "the copy is put back",
                replace(s, stored=s.copy, copy=None, put_back=s.put_back + 1, begins=True),
            )

    def _write(self, s: State, document: int) -> Iterator[tuple[str, State]]:
        history = s.stored.history + 1 + s.put_back if s.begins else s.stored.history
        number, content = s.stored.number + 1, s.writes + 1
        stored = replace(s.stored, number=number, history=history)
        state = replace(s, stored=stored, writes=content, begins=False)
        transaction = (document, number, content)
        if self.weakness is Weakness.COMMIT_ANYHOW:
            yield f"number {number} is given out for document {document}", replace(state, open=(*s.open, transaction))
        else:
            yield f"document {document} is stored as number {number}", self._committed(state, transaction)

    def _committed(self, s: State, transaction: tuple[int, int, int]) -> State:
        document, number, content = transaction
        heads = list(s.stored.heads)
        if heads[document][0] < number:
            heads[document] = number, content
        rest = tuple(other for other in s.open if other != transaction)
        return replace(s, stored=replace(s.stored, heads=tuple(heads)), open=rest)

    def _read(self, s: State) -> Iterator[tuple[str, State]]:
        reader, stored = s.reader, s.stored
        now = stored.history, stored.number
        if reader.reading is None:
            if s.begins and not self._forgets:
                return  # what was told of the lost history is found out with the next write
            if reader.cursor[0] != stored.history and not self._forgets:
                # 410: it gets the whole map, which is read at one moment.
                whole = Reader(now, tuple(content for _, content in stored.heads))
                yield "the cursor is of no use, and the reader begins again", replace(s, reader=whole)
            elif reader.cursor != now:
                yield (
                    f"the reader begins to read up to {now[1]}",
                    replace(s, reader=replace(reader, reading=now, place=0)),
                )
        elif reader.place < DOCUMENTS:
            of_head, content = stored.heads[reader.place]
            has = list(reader.has)
            if reader.cursor[1] < of_head and (of_head <= reader.reading[1] or self.weakness is Weakness.NEWEST_LAST):
                has[reader.place] = content
            looked = replace(reader, has=tuple(has), place=reader.place + 1)
            yield f"the reader looks at document {reader.place}", replace(s, reader=looked)
        else:
            cursor = now if self.weakness is Weakness.NEWEST_LAST else reader.reading
            yield (
                f"the cursor of the reader is {cursor[1]}",
                replace(s, reader=replace(reader, cursor=cursor, reading=None)),
            )
