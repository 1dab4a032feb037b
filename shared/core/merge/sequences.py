"""Sequences of keys: how two differ, and how three merge.

Sources: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986); unique elements as anchors:
Bram Cohen's patience diff, with the longest increasing subsequence of C. Schensted, "Longest Increasing and
Decreasing Subsequences" (1961); three ways: S. Khanna, K. Kunal, B. C. Pierce, "A Formal Investigation of
Diff3" (2007), but elements that one side touched and those that the other touched may be neighbours.

Laws (tests/unit/core/merge/test_sequences.py):
    applying the hunks of difference(a, b) to a gives b
    the regions of three_ways cover all three sequences; who did not touch a region has what the base has
    the steps that are taken are at most a multiple of the lengths
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from shared.core.json.values import Value, weigh
from shared.core.merge.counts import counted

ElementKeys = Sequence[Hashable]

BUDGET: Final = 100_000
"""Steps of exact comparison that all sequences of one merge share, in proportion to their lengths."""


COSTLY: Final = BUDGET // 5
"""Sequences that take more steps to compare have so many differences that places prove nothing."""


SHORT: Final = 32
"""Elements in two sequences together that are compared without looking for anchors first."""


HEAVY: Final = 30_000
"""Values and lines above which nothing is guessed by likeness: it costs more than reading."""


class Steps:
    """Counts the steps of comparing the sequences of one merge, and says how many one comparison may take.

    A comparison of n elements may take n / 16 + 64, and its share of BUDGET if that is more: a share by
    length, not first come first served, so that the order of comparisons changes nothing.
    """

    __slots__ = ("_heavy", "_weight", "inputs", "taken", "unlike")

    def __init__(self) -> None:
        self.taken = 0
        self.inputs: tuple[Value, ...] = ()
        """Everything that is merged."""
        self.unlike: list[tuple[Sequence[Any], Sequence[Any], tuple[int, int, int, int]]] = []
        """Where two sequences of which it was looked for differ."""
        self._weight: int | None = None
        self._heavy: bool | None = None

    def weight(self) -> int:
        """The number of values and lines in the inputs. They are counted only if somebody asks."""
        if self._weight is None:
            self._weight = weigh(self.inputs)
        return self._weight

    def heavy(self) -> bool:
        """Whether the weight is more than HEAVY."""
        if self._heavy is None:
            self._heavy = weigh(self.inputs, HEAVY) > HEAVY
        return self._heavy

    def known_part(self, a: Sequence[Any], b: Sequence[Any]) -> tuple[int, int, int, int] | None:
        """As `unlike_part`, of what was last asked for."""
        return next((where for base, side, where in self.unlike if base is a and side is b), None)

    def minimum(self, length: int) -> int:
        """What a comparison of `length` elements may take in any case."""
        return length // 16 + 64

    def share(self, length: int) -> int:
        """What it may take at most."""
        return max(self.minimum(length), length * BUDGET // max(self.weight(), length))


class Hunk(NamedTuple):
    """a[a_lo:a_hi] became b[b_lo:b_hi]; not both are empty, and an equal element lies between two hunks."""

    a_lo: int
    a_hi: int
    b_lo: int
    b_hi: int

    def growth(self) -> int:
        """How many more elements there are in b."""
        return self.b_hi - self.b_lo - self.a_hi + self.a_lo


class Region(NamedTuple):
    """A stretch of the base, what it became in ours and in theirs, and who changed it."""

    base: slice
    ours: slice
    theirs: slice
    by_ours: bool
    by_theirs: bool


def difference(a: ElementKeys, b: ElementKeys, steps: Steps) -> list[Hunk]:
    """What makes `b` of `a`: a shortest script where that is cheap, else a longer one, always the same."""
    hunks = []
    i = j = 0
    for x, y, length in [*_Comparison(a, b, steps).matches(), (len(a), len(b), 0)]:
        if i < x or j < y:
            hunks.append(Hunk(i, x, j, y))
        i, j = x + length, y + length
    return hunks


def three_ways(base: ElementKeys, ours: ElementKeys, theirs: ElementKeys, steps: Steps) -> list[Region]:
    """The regions, in order, that cover the base: untouched, touched by one side, touched by both.

    Hunks meet if they have a base element in common or are insertions at one place.
    """
    return regions_of(base, ours, theirs, difference(base, ours, steps), difference(base, theirs, steps))


def regions_of(
    base: ElementKeys, ours: ElementKeys, theirs: ElementKeys, left: Sequence[Hunk], right: Sequence[Hunk]
) -> list[Region]:
    """The same, from what leads from the base to ours and to theirs.

    What one side inserted and the other has at the edge of what it changed there is the same insertion.
    """
    left, right = _split(left, right, ours, theirs), _split(right, left, theirs, ours)
    regions: list[Region] = []
    at = ours_at = theirs_at = i = j = 0  # where each sequence has come to; the next hunk of each side
    while i < len(left) or j < len(right):
        if j == len(right) or (i < len(left) and left[i][:2] <= right[j][:2]):
            lo, hi = left[i][:2]
        else:
            lo, hi = right[j][:2]
        if at < lo:
            regions.append(_untouched(at, ours_at, theirs_at, lo - at))
            ours_at, theirs_at = ours_at + lo - at, theirs_at + lo - at
        at = lo
        first_i, first_j = i, j
        growth = other_growth = 0
        while True:
            if i < len(left) and (left[i][0] < hi or left[i][:2] == (lo, hi)):
                a_lo, a_hi, b_lo, b_hi = left[i]
                growth += b_hi - b_lo - a_hi + a_lo
                hi, i = max(hi, a_hi), i + 1
            elif j < len(right) and (right[j][0] < hi or right[j][:2] == (lo, hi)):
                a_lo, a_hi, b_lo, b_hi = right[j]
                other_growth += b_hi - b_lo - a_hi + a_lo
                hi, j = max(hi, a_hi), j + 1
            else:
                break
        ours_end, theirs_end = ours_at + hi - lo + growth, theirs_at + hi - lo + other_growth
        parts = slice(lo, hi), slice(ours_at, ours_end), slice(theirs_at, theirs_end)
        regions.append(Region(*parts, i > first_i, j > first_j))
        at, ours_at, theirs_at = hi, ours_end, theirs_end
    if at < len(base):
        regions.append(_untouched(at, ours_at, theirs_at, len(base) - at))
    return regions


def _split(hunks: Sequence[Hunk], others: Sequence[Hunk], side: ElementKeys, other: ElementKeys) -> list[Hunk]:
    """The hunks, without the insertions of the other side that they start or end with: these are hunks of theirs."""
    inserted = {hunk.a_lo: other[hunk.b_lo : hunk.b_hi] for hunk in others if hunk.a_lo == hunk.a_hi}
    result: list[Hunk] = []
    for hunk in hunks:
        a_lo, a_hi, b_lo, b_hi = hunk
        if a_lo < a_hi:
            head, tail = inserted.get(a_lo), inserted.get(a_hi)
            if head and side[b_lo : b_lo + len(head)] == head and b_lo + len(head) <= b_hi:
                result.append(Hunk(a_lo, a_lo, b_lo, b_lo + len(head)))
                b_lo += len(head)
            if tail and side[b_hi - len(tail) : b_hi] == tail and b_lo <= b_hi - len(tail):
                result.append(Hunk(a_lo, a_hi, b_lo, b_hi - len(tail)))
                a_lo, b_lo = a_hi, b_hi - len(tail)
        result.append(Hunk(a_lo, a_hi, b_lo, b_hi))
    return result


def _untouched(at: int, ours_at: int, theirs_at: int, length: int) -> Region:
    parts = slice(at, at + length), slice(ours_at, ours_at + length), slice(theirs_at, theirs_at + length)
    return Region(*parts, False, False)


def surely_costly(base: Sequence[Any], sides: Sequence[Sequence[Any]], steps: Steps | None = None) -> bool:
    """Whether to find out how the sides differ from the base takes more than COSTLY steps, whatever is found.

    Of values, of which Python's == tells no fewer equal than their keys are: what it takes for equal at both ends is
    all that need not be looked at, and what is between is at least looked at once.
    """
    if 2 * len(base) + sum(map(len, sides)) <= COSTLY:
        return False
    unlike = [unlike_part(base, side) for side in sides]
    if steps is not None:
        steps.unlike = [(base, side, where) for side, where in zip(sides, unlike, strict=True)]
    return sum(n - i + m - j for i, n, j, m in unlike if i < n and j < m) > COSTLY


def common_head(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many elements are equal from the start, or fewer if they are few."""
    limit = min(len(a), len(b))
    return _reach(limit, lambda at, to: a[at:to] == b[at:to]) if limit > SHORT else 0


def unlike_part(a: Sequence[Any], b: Sequence[Any]) -> tuple[int, int, int, int]:
    """Where what differs starts and ends in `a`, and in `b`."""
    return _Comparison(a, b, Steps()).trimmed(0, len(a), 0, len(b))


class _Comparison:
    """Two sequences; i, n and j, m bound a stretch of each."""

    def __init__(self, a: ElementKeys, b: ElementKeys, steps: Steps) -> None:
        self.a = a
        self.b = b
        self.steps = steps

    def matches(self) -> Iterator[tuple[int, int, int]]:
        """Runs (start in a, start in b, length) of equal elements, ascending."""
        i, n, j, m = self.steps.known_part(self.a, self.b) or self.trimmed(0, len(self.a), 0, len(self.b))
        if i:
            yield 0, 0, i
        if i < n and j < m and n - i + m - j <= SHORT:
            for x, y, length in _shortest(self.a[i:n], self.b[j:m], self.steps):
                yield i + x, j + y, length
        elif i < n and j < m:
            anchors = self.anchors(i, n, j, m)
            for (x, y), (x2, y2) in pairwise([(i - 1, j - 1), *anchors, (n, m)]):
                if x >= i:
                    yield x, y, 1
                yield from self.gap(x + 1, x2, y + 1, y2)
        if n < len(self.a):
            yield n, m, len(self.a) - n

    def gap(self, i: int, n: int, j: int, m: int) -> Iterator[tuple[int, int, int]]:
        """Between anchors: the shortest script for what both have; if that is too expensive, the common ends."""
        start, end = (i, j), n
        i, n, j, m = self.trimmed(i, n, j, m)
        if start[0] < i:
            yield *start, i - start[0]
        if i < n and j < m:
            yield from self.untrimmed(i, n, j, m)
        if n < end:
            yield n, m, end - n

    def untrimmed(self, i: int, n: int, j: int, m: int) -> Iterator[tuple[int, int, int]]:
        a, b = self.a[i:n], self.b[j:m]
        self.steps.taken += len(a) + len(b)
        in_a, in_b = set(a), set(b)
        if in_a == in_b:
            for x, y, length in _shortest(a, b, self.steps):
                yield i + x, j + y, length
        elif not in_a.isdisjoint(in_b):
            left = [x for x, key in enumerate(a) if key in in_b]
            right = [y for y, key in enumerate(b) if key in in_a]
            for x, y, length in _shortest([a[x] for x in left], [b[y] for y in right], self.steps):
                for k in range(length):
                    yield i + left[x + k], j + right[y + k], 1

    def trimmed(self, i: int, n: int, j: int, m: int) -> tuple[int, int, int, int]:
        """Without the common prefix and suffix; long ones by slices, which compare at the speed of C."""
        a, b = self.a, self.b
        if min(n - i, m - j) > SHORT:
            limit = min(n - i, m - j)
            head = _reach(limit, lambda at, to: a[i + at : i + to] == b[j + at : j + to])
            limit -= head
            tail = _reach(limit, lambda at, to: a[n - to : n - at] == b[m - to : m - at])
            return i + head, n - tail, j + head, m - tail
        while i < n and j < m and a[i] == b[j]:
            i, j = i + 1, j + 1
        while i < n and j < m and a[n - 1] == b[m - 1]:
            n, m = n - 1, m - 1
        return i, n, j, m

    def anchors(self, i: int, n: int, j: int, m: int) -> list[tuple[int, int]]:
        """Places of the elements that occur once in each: the most of them that keep their order."""
        self.steps.taken += n - i + m - j
        once_b = _once(self.b, j, m)
        return _longest_increasing([(x, once_b[k]) for k, x in _once(self.a, i, n).items() if k in once_b])


def _reach(limit: int, equal: Callable[[int, int], bool]) -> int:
    """How far from 0 all is equal, at most `limit`: in strides that double and then halve."""
    at, width, growing = 0, 1, True
    while at < limit and width:
        to = min(at + width, limit)
        if equal(at, to):
            at = to
            width = width * 2 if growing else width // 2
        else:
            growing = False
            width //= 2
    return at


def _once(keys: ElementKeys, lo: int, hi: int) -> dict[Hashable, int]:
    """Key -> index of the keys that occur once, by ascending index."""
    stretch = keys[lo:hi]
    counts = counted(stretch)
    if len(counts) == hi - lo:
        return dict(zip(stretch, range(lo, hi), strict=True))
    once = {key for key, count in counts.items() if count == 1}
    return {key: at for at, key in enumerate(stretch, lo) if key in once} if once else {}


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of pairs with ascending firsts, the most whose seconds ascend as well."""
    if all(p[1] < q[1] for p, q in pairwise(pairs)):
        return pairs
    ends: list[int] = []  # the smallest second that ends an ascent of each length, and where it is
    ends_at: list[int] = []
    before: list[int] = []
    for index, (_, y) in enumerate(pairs):
        length = bisect_left(ends, y)
        before.append(ends_at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(y)
            ends_at.append(index)
        else:
            ends[length] = y
            ends_at[length] = index
    result = []
    index = ends_at[-1]
    while index >= 0:
        result.append(pairs[index])
        index = before[index]
    result.reverse()
    return result


def _shortest(a: ElementKeys, b: ElementKeys, steps: Steps) -> list[tuple[int, int, int]]:
    """Myers: the runs of a longest common subsequence; nothing if that takes more steps than allowed."""
    n, m = len(a), len(b)
    allowed = steps.minimum(n + m)
    asked = False
    taken = 0
    # The furthest x of the diagonals -d, -d + 2 ... d, and at each end one that nothing has reached.
    reach = [-1, 0]
    trace: list[list[int]] = []
    for d in range(n + m + 1):
        taken += d + 1
        if taken > allowed and not asked:
            asked, allowed = True, steps.share(n + m)
        if taken > allowed:
            break
        now = [-1]
        for at in range(d + 1):
            below, above = reach[at] + 1, reach[at + 1]
            x = above if above >= below else below
            y = x + d - 2 * at
            start = x
            while x < n and y < m and a[x] == b[y]:
                x += 1
                y += 1
            if x > start:
                taken += (x - start) >> 2
            now.append(x)
            if x >= n and y >= m:
                steps.taken += taken
                return _walk_back(trace, reach, n, m)
        now.append(-1)
        trace.append(reach)
        reach = now
    steps.taken += taken
    return []


def _walk_back(trace: list[list[int]], reach: list[int], n: int, m: int) -> list[tuple[int, int, int]]:
    """The runs on the path to (n, m), ascending."""
    result: list[tuple[int, int, int]] = []
    x, y = n, m
    for d in range(len(trace), 0, -1):
        k = x - y
        at = (k + d) // 2
        down = reach[at] < reach[at + 1]
        start = reach[at + 1] if down else reach[at] + 1
        if x > start:
            result.append((start, start - k, x - start))
        x, y = (start, start - k - 1) if down else (start - 1, start - k)
        reach = trace[d - 1]
    if x > 0:
        result.append((0, 0, x))
    result.reverse()
    return result
