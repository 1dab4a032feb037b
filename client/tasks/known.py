"""What a word may name: fields, tags, numbers of the last listing; and the hint where it names none. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from client.tasks.ids import SHORTEST, NoSuchTaskError, with_prefix
from client.tasks.view import View
from client.tasks.virtual_tags import VIRTUAL_TAGS
from client.tasks.words import WordError
from shared.core.documents import DocumentId

FIELDS: Final = (
    *("description", "status", "project", "priority", "tags", "due", "wait", "scheduled", "until", "start", "end"),
    *("entry", "modified", "recur", "depends", "parent", "annotations", "id", "urgency"),
)
_SHORT: Final = {
    "desc": "description",
    "pri": "priority",
    "prio": "priority",
    "pro": "project",
    "proj": "project",
    "sched": "scheduled",
    "dep": "depends",
    "stat": "status",
    "mod": "modified",
}
"""As people shorten them; a field of that very name goes first."""
_NUMBERS: Final = re.compile(r"\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*\Z", re.ASCII)


def known_field(name: str, fields: Collection[str] | None) -> str:
    """The field that is meant. `fields`: those in use; None: any may be. Raises WordError for a name that is nearly
    one of them and none: it would be an empty answer, or a field that nobody reads."""
    if fields is None or name in fields or name in FIELDS or name.partition(".")[0] in fields:
        return name
    if name in _SHORT:
        return _SHORT[name]
    if near := _near(name, [*FIELDS, *fields], 1, 0.75):
        raise WordError(
            f'no task has a field "{name}"; did you mean {near[0]}? If it is meant so: {name}:="VALUE", '
            "or as text, behind --"
        )
    return name


def check_tag(name: str, view: View) -> None:
    """Raises WordError for a tag in capitals that is neither virtual nor in use."""
    if view.fields is None or not name.isupper() or len(name) < 3 or name in view.tags:
        return
    near = _near(name, VIRTUAL_TAGS, 1)
    hint = f"did you mean +{near[0]}?" if near else f"these are: {' '.join(VIRTUAL_TAGS)}"
    raise WordError(f"no task has the tag {name}, and no virtual tag is called so; {hint}")


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


def _near(name: str, known: Iterable[str], count: int, cutoff: float = 0.6) -> list[str]:
    from difflib import get_close_matches  # noqa: PLC0415  it is needed for slips alone, and takes time to load

    return get_close_matches(name, list(known), count, cutoff)


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
