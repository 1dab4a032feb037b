"""Three-way merge inside one string, where it is plain what is meant: parts of addresses, ranges of versions.

Laws (tests/unit/core/merge/test_strings.py), for both:
    merged(base, ours, theirs) = merged(base, theirs, ours)
    merged(base, ours, R) = R = merged(base, R, theirs), R being the merge of the three
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from shared.core.merge.sequences import Steps, difference
from shared.core.merge.version_strings import version_order

MAX_LENGTH: Final = 512
"""Characters; a longer string is prose."""

_TOKENS: Final = re.compile(r"\d+|[^\W\d_]+|.", re.DOTALL)
_BAR: Final = re.compile(r"(\s*\|{1,2}\s*)")
_RANGE: Final = re.compile(r"([\^~])([1-9]\d*)(?:\.\d+){0,2}", re.ASCII)


class _Edit(NamedTuple):
    """Tokens start:end of the base became `new`."""

    start: int
    end: int
    new: tuple[str, ...]


def merged_parts(base: str, ours: str, theirs: str) -> str | None:
    """Both edits of one string, or None if it is not plain that they go together.

    They do if one side has the other's edit and more; or if they touch different tokens (numbers, words, single
    characters), and one side changed numbers and the other none.
    """
    if not base or max(map(len, (base, ours, theirs))) > MAX_LENGTH:
        return None
    tokens = _TOKENS.findall(base)
    if _is_hopeless(set(tokens), set(_TOKENS.findall(ours)), set(_TOKENS.findall(theirs))):
        return None
    left, right = _edits(tokens, ours), _edits(tokens, theirs)
    here, there = _contains(left, right), _contains(right, left)
    if here or there:
        return None if here and there else ours if here else theirs
    changed = sorted([*left, *right])
    if not _apart(changed) or _changes_numbers(tokens, left) == _changes_numbers(tokens, right):
        return None
    numbers = left if _changes_numbers(tokens, left) else right
    if any(token.isalpha() for edit in numbers for token in (*edit.new, *tokens[edit.start : edit.end])):
        return None
    result: list[str] = []
    at = 0
    for start, end, new in changed:
        result += [*tokens[at:start], *new]
        at = end
    merged = "".join([*result, *tokens[at:]])
    # If the edits cannot be told from the result, they were not plain.
    again = _edits(tokens, merged)
    return merged if _contains(again, left) and _contains(again, right) else None


def _is_hopeless(base: set[str], ours: set[str], theirs: set[str]) -> bool:
    """Whether the tokens alone show that neither has all of the other's edit and that both changed numbers, or
    none did. Most strings are prose: that is seen at a fraction of what finding the edits costs."""
    if theirs - base <= ours or ours - base <= theirs:
        return False
    before, here, there = ({token for token in tokens if token.isdigit()} for tokens in (base, ours, theirs))
    return before not in (here, there) or not (before or here or there)


def _edits(tokens: list[str], text: str) -> list[_Edit]:
    side = _TOKENS.findall(text)
    hunks = difference(tokens, side, Steps())
    return [_Edit(hunk.a_lo, hunk.a_hi, tuple(side[hunk.b_lo : hunk.b_hi])) for hunk in hunks]


def _contains(edits: Sequence[_Edit], others: Sequence[_Edit]) -> bool:
    """Whether each of the others is one of the edits, or lies in one that has all that it put in, and words."""
    return all(other in edits or any(_lies_in(other, edit) for edit in edits) for other in others)


def _lies_in(other: _Edit, edit: _Edit) -> bool:
    if not any(token.isalpha() for token in other.new):
        return False
    width = len(other.new)
    runs = (edit.new[at : at + width] for at in range(len(edit.new) - width + 1))
    return edit.start <= other.start and other.end <= edit.end and other.new in runs


def _apart(edits: Sequence[_Edit]) -> bool:
    """Whether none touches what another does."""
    return all(
        a.end < b.start or (a.end == b.start and a.start < a.end and b.start < b.end) for a, b in pairwise(edits)
    )


def _changes_numbers(tokens: list[str], edits: Sequence[_Edit]) -> bool:
    return any(token.isdigit() for edit in edits for token in (*edit.new, *tokens[edit.start : edit.end]))


def merged_ranges(base: str, ours: str, theirs: str) -> str | None:
    """Alternatives of version ranges (`^1.2|^2.0`), one for each major version: those that one side added, and
    of each that both raised the higher. None for anything else, and where a side removed one."""
    before, here, there = (_alternatives(text) for text in (base, ours, theirs))
    if before is None or here is None or there is None or max(len(here), len(there)) < 2:
        return None
    wider, other, text = (here, there, ours) if len(here) >= len(there) else (there, here, theirs)
    if not before.keys() <= other.keys() or not other.keys() <= wider.keys():
        return None
    merged = {}
    for major, mine in wider.items():
        known, one = before.get(major), other.get(major, mine)
        merged[major] = one if mine == known else mine if one == known else _higher(mine, one)
    return "".join(part if at % 2 else merged[_major(part)] for at, part in enumerate(_BAR.split(text)))


def _higher(one: str, two: str) -> str:
    a, b = version_order(one), version_order(two)
    return one if a is not None and b is not None and (a, one) > (b, two) else two


def _alternatives(text: str) -> dict[str, str] | None:
    """Operator and major version -> range; None if it is none, or has two for one."""
    parts = _BAR.split(text)[::2] if len(text) <= MAX_LENGTH else [""]
    if not all(_RANGE.fullmatch(part) for part in parts):
        return None
    by_major = {_major(part): part for part in parts}
    return by_major if len(by_major) == len(parts) else None


def _major(part: str) -> str:
    return part.partition(".")[0]
