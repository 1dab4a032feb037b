"""Three-way merge of text, line by line."""

from __future__ import annotations

from collections.abc import Sequence

from shared.core.merge import orders, sequences
from shared.core.merge.arrays import Keyed, nearest
from shared.core.merge.sequences import COSTLY, Steps


def merge_text(bases: Sequence[str], ours: str, theirs: str, steps: Steps) -> tuple[str, bool] | None:
    """The merged text, and whether both sides changed the same lines somewhere; None if merging it again, with
    either side, would give another, or if finding the differences is costly: then places prove nothing."""
    if len(bases) == 1 and _surely_costly(bases[0], ours, theirs):
        return None
    taken = steps.taken
    merged = _merged(bases, ours, theirs, steps)
    if steps.taken - taken > COSTLY:
        return None
    text = merged[0]
    if text not in (ours, theirs) and not (
        _merged(bases, ours, text, steps)[0] == text == _merged(bases, text, theirs, steps)[0]
    ):
        return None
    return merged


def _surely_costly(base: str, ours: str, theirs: str) -> bool:
    """As `sequences.surely_costly`, of their lines, told by the line ends in what differs."""
    if 2 * len(base) + len(ours) + len(theirs) <= COSTLY:
        return False
    lines = 0
    for side in (ours, theirs):
        i, n, j, m = sequences.unlike_part(base, side)
        if i < n and j < m:  # one line end, at the edge, may be of lines that do not differ
            lines += max(base.count("\n", i, n) - 1, 0) + max(side.count("\n", j, m) - 1, 0)
    return lines > COSTLY


def _merged(bases: Sequence[str], ours: str, theirs: str, steps: Steps) -> tuple[str, bool]:
    """diff3 on lines, and whether both sides changed the same ones somewhere.

    There both are kept, without markers, in the order of `orders.goes_first`; lines that they have in common once.
    Where one side removed what the other changed, the change stays. Without a base, what both have in common is the
    base.
    """
    mine, other = ours.split("\n"), theirs.split("\n")
    base: list[str] = []
    if bases:
        split = [text.split("\n") for text in bases]
        base = nearest(
            [Keyed([*lines], lines) for lines in split], Keyed([*mine], mine), Keyed([*other], other)
        ).array
    result: list[str] = []
    conflict = False
    for region in sequences.three_ways(base, mine, other, steps):
        o, t = mine[region.ours], other[region.theirs]
        if not region.by_theirs or o == t:
            result += o
        elif not region.by_ours:
            result += t
        else:
            both, hunks = orders.union(Keyed([*o], o), Keyed([*t], t), steps, [*result[-1:]])
            result += both
            conflict = conflict or orders.compete(hunks) or not o or not t
    return "\n".join(result), conflict
