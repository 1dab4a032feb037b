"""What one side renamed and the other edited under its old name. `shared.core.merge.similar` has the measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from shared.core.json.pointers import Place
from shared.core.json.values import ABSENT, Value
from shared.core.merge import similar, wide
from shared.core.merge.array_run import At, Members, Run
from shared.core.merge.arrays import ID_FIELDS
from shared.core.merge.clock import CLOCK_POINTERS


def renamed(
    run: Run, at: At, bases: Sequence[Members], sides: tuple[Members, Members], named: str | None
) -> dict[Any, Any]:
    """New name -> old name of what one side renamed and the other edited under its old name."""
    if len(bases) > 1 or named in ID_FIELDS:
        return {}
    base = bases[0]
    if all(wide.have_same_names(base, side) for side in sides):
        return {}
    names: dict[Any, Any] = {}
    for side, other in (sides, sides[::-1]):
        gone = base.keys() - side.keys()
        come = side.keys() - base.keys() if gone else None
        if not gone or not come:
            continue
        left, unknown = gone & other.keys(), come - other.keys()
        if left and unknown:
            names.update(_pairs(run, at, base, (side, other), _Names(left, unknown, named)))
        if len(left) < len(gone) and len(unknown) < len(come):  # both renamed it, and to the same
            names.update(_pairs(run, at, base, (side, other), _Names(gone - left, come - unknown, named)))
    return names


class _Names(NamedTuple):
    """Names that one side lacks, those that are new in it, and the field that has them, if it is an array."""

    gone: Set[Any]
    come: Set[Any]
    named: str | None


def _pairs(run: Run, at: At, base: Members, sides: tuple[Members, Members], names: _Names) -> dict[Any, Any]:
    """New name -> old name."""
    side, other = sides
    if not run.may_guess(at):
        return {}
    edited = {key: base[key] for key in names.gone if not run.keys.same(base[key], other.get(key, ABSENT))}
    new = {key: side[key] for key in names.come if not run.keys.same(side[key], other.get(key, ABSENT))}
    if not edited or not new:
        return {}
    pairs = similar.renamed(edited, new, [value for key, value in base.items() if key not in edited], run.keys)
    if names.named is None:
        pairs |= _leaves(at.place, base, {key: other.get(key, ABSENT) for key in edited}, new)
    return {new_name: old for old, new_name in pairs.items()}


def _leaves(place: Place, base: Members, edited: Mapping[Any, Value], new: Members) -> dict[Any, Any]:
    """Old name -> new name of fields whose value proves it: as it was or is `edited`, and nowhere else."""
    pairs = similar.renamed_leaves(base, edited, new)
    return {
        old: name
        for old, name in pairs.items()
        if not CLOCK_POINTERS.intersection(Place(place, key).stable() for key in (old, name))
    }
