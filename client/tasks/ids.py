"""Ids of tasks: how new ones are made, and how few of their characters a person has to type. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Final

from shared.core.identifiers import DocumentId

ALPHABET: Final = "23456789abcdefghkmnpqrstwxyz"
"""Without what is easily mistaken for something else when read aloud or copied by hand."""
LENGTH: Final = 16
SHORTEST: Final = 4
"""So many characters are shown at least, though fewer may be unique today."""
_NAMED: Final = 5
_FEW: Final = 20


class NoSuchTaskError(Exception):
    """No id begins like that, or several do; the message names them."""


def id_of(number: int) -> DocumentId:
    """The id that a number says; numbers are taken modulo ALPHABET ** LENGTH (77 bits)."""
    characters = []
    for _ in range(LENGTH):
        number, place = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[place])
    return DocumentId("".join(characters))


def derived_id(*parts: str) -> DocumentId:
    """Always the same id for the same parts, and for others another: what comes from outside under a name of its own
    gets its id so, and an occurrence of a repeating task its id from the parent's and the moment it is due."""
    import hashlib  # noqa: PLC0415  it takes time to load, and most commands derive none

    text = "".join(f"{len(part)}:{part}" for part in parts)
    return id_of(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def with_prefix(prefix: str, ids: Iterable[DocumentId]) -> DocumentId:
    """The id that is `prefix`, else the only one that begins so. Raises NoSuchTaskError."""
    matching = sorted(document for document in ids if document.startswith(prefix)) if prefix else []
    if prefix in matching or len(matching) == 1:
        return matching[0]
    if not matching:
        raise NoSuchTaskError(f'no task has an id that begins with "{prefix}". To list them: hypertask list')
    shown = ", ".join([*shortest(matching).values()][:_NAMED])
    more = " ..." if len(matching) > _NAMED else ""
    raise NoSuchTaskError(f'{len(matching)} ids begin with "{prefix}": {shown}{more}. Type one character more.')


def shortest(ids: Iterable[DocumentId], least: int = SHORTEST) -> dict[DocumentId, str]:
    """For each id the shortest prefix, of `least` characters or more, that no other of them begins with; the whole id
    where another begins with it."""
    ordered = sorted(ids)
    shared = [0, *(_in_common(a, b) for a, b in pairwise(ordered)), 0]
    return {
        document: document[: max(least, shared[place] + 1, shared[place + 1] + 1)]
        for place, document in enumerate(ordered)
    }


def shortest_of(some: Sequence[DocumentId], ids: Collection[DocumentId]) -> dict[DocumentId, str]:
    """The same for some of the ids, without putting all of them in order where they are few."""
    if len(some) > _FEW:
        every = shortest(ids)
        return {document: every[document] for document in some}
    prefixes = {}
    for document in some:
        near = [one for one in ids if one.startswith(document[:SHORTEST]) and one != document]
        longest = max((_in_common(document, one) for one in near), default=0)
        prefixes[document] = document[: max(SHORTEST, longest + 1)]
    return prefixes


def _in_common(a: str, b: str) -> int:
    for place, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return place
    return min(len(a), len(b))
