"""What a merge reports: which places both sides changed, what stands there, what was dropped, and by which rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from shared.core.json.values import Value
from shared.core.merge.clock import CLOCK_POINTERS, instant


class Side(Enum):
    """On the server, ours is stored and theirs arrives."""

    OURS = "ours"
    THEIRS = "theirs"


class Conflict(NamedTuple):
    """A place that both sides changed.

    `path` is a JSON pointer into the result; `-` in it (RFC 6901: the member that does not exist) is a member
    of an array that fell. `kept` and `dropped` are values or ABSENT; where both sides changed a stretch of an
    array, they are the stretches. `rule` is what the `Decide` answers, or
        edit-beats-removal, delete-wins    one side removed what the other edited
        max, min, version                  by declared strategy
        both-inserted, both-kept           elements of an array, lines of a text: nothing fell
        both-edited                        both edits of a string; dropped: the side that has less, if one has all
        renamed                            the edit was carried over to a new name; dropped: what the old had
    """

    path: str
    kept: Value
    dropped: Value
    rule: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The result and every conflict that was decided on the way, by path."""

    value: Value
    conflicts: tuple[Conflict, ...]


Decide = Callable[[str, Value, Value], tuple[Side, str]]
"""Asked where no rule knows: (place, ours, theirs) -> which stands, and the name of the reason. Must be pure.

The place is a JSON pointer in which a member of an array is called `field=name` if it has a name, else `-`,
as in `paths.strong_values`: its index is not the same in the documents that are compared.
"""


_ELSEWHERE: Final = "elsewhere"


def answers_alike(decide: Decide, answer: tuple[Side, str]) -> Decide:
    """Say of it that it answers so at every place that is no clock of the document: then it is not asked for each of
    very many."""
    vars(decide)[_ELSEWHERE] = answer
    return decide


def elsewhere(decide: Decide) -> tuple[Side, str] | None:
    """What it answers at every place that is no clock of the document, if that is known."""
    answer: tuple[Side, str] | None = getattr(decide, _ELSEWHERE, None)
    return answer


_ARRIVING: Final = Side.THEIRS, "arriving"


def arriving(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
    """What arrives stands. Of two valid clocks the newer does: a late write must not turn the clock back."""
    if pointer in CLOCK_POINTERS:
        stored, arrived = instant(ours), instant(theirs)
        if stored is not None and arrived is not None:
            return (Side.OURS if stored > arrived else Side.THEIRS), "newer"
    return _ARRIVING


answers_alike(arriving, _ARRIVING)
