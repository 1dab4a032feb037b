"""The tasks that a text names: numbers of the last listing, ids and their beginnings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from client.tasks.ids import SHORTEST, NoSuchTaskError, with_prefix
from client.tasks.words import WordError
from shared.core.identifiers import DocumentId

_NUMBERS: Final = re.compile(r"\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*\Z", re.ASCII)


def documents_named(text: str, numbers: Sequence[str], ids: Iterable[DocumentId]) -> list[DocumentId]:
    """The tasks that `text` names: numbers of the last listing (`3`, `2-5`, `1,4`), ids and their beginnings, with
    commas between them. Raises WordError, NoSuchTaskError; of one character only where that is a number: a key that
    was hit by accident should change nothing."""
    known = set(ids)
    named: list[DocumentId] = []
    for part in text.split(","):
        places = numbered(part, numbers)
        if places is None:
            if len(part) == 1 and part not in known:
                raise NoSuchTaskError(
                    f'"{part}" is neither a number of the last listing nor long enough for the beginning of an id: '
                    "type two characters or more"
                )
            if part.isdecimal() and len(part) < SHORTEST and not any(one.startswith(part) for one in known):
                listed = f"the last listing has the numbers 1 to {len(numbers)}" if numbers else "nothing was listed"
                raise NoSuchTaskError(
                    f"{part} is no number of a task: {listed}, and no id begins so. List again: hypertask list"
                )
            named.append(with_prefix(part, known))
            continue
        if gone := sorted(places - known):
            raise NoSuchTaskError(f"{part}: {gone[0]} is not there any more. List again: hypertask list")
        if len(part) >= SHORTEST and (begun := [one for one in known if one.startswith(part)]) and places != {*begun}:
            raise NoSuchTaskError(
                f'"{part}" is a number of the last listing and begins the id {begun[0]}: type more of it'
            )
        named += [DocumentId(one) for one in numbers if one in places]
    return list(dict.fromkeys(named))


def numbered(text: str, numbers: Sequence[str]) -> frozenset[str] | None:
    """The ids of `3`, `2-5` or `1,4` in the last listing. None: it is no such text, or a single number that the
    listing does not reach and that may be a text or begin an id. Raises WordError for a range beyond the listing."""
    if _NUMBERS.match(text) is None:
        return None
    places: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        places.update(range(int(first), int(last if dash else first) + 1))
    if places and min(places) >= 1 and max(places) <= len(numbers):
        return frozenset(numbers[place - 1] for place in places)
    if text.isdigit() or not numbers:
        return None
    raise WordError(f"the last listing has the numbers 1 to {len(numbers)}, not {text}. List again: hypertask list")
