"""The row of a space, as one transaction reads and changes it: policies, sequences, histories, fence, and what the
space holds.

The first `allot` changes the row in the database, and so meets every other writer. Later ones of the same transaction
count on from it in memory; `send` brings what they add.

How this process left the row in its last transaction is known. The first `allot` counts on from that without waiting
for the database, which says later how it found the row: if it differs in anything, the transaction begins again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import Final

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.commands import Commands
from shared.adapters.mongodb.known_heads import HeadsChangedError, Mark
from shared.adapters.mongodb.rows import history_rows, lineage_of, new_epoch, policies_of, with_new_history
from shared.adapters.mongodb.usage import USAGE_FIELDS, usage_of
from shared.core.documents import Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.lineage import Lineage
from shared.core.merge.policies import Policies
from shared.core.resolution.context import Allotted
from shared.core.resolution.usage import Usage
from shared.ports import Fence, FencedError
from shared.ports.stores import NOTHING

_POLICIES_KEPT: Final = 10_000
_LINEAGE: Final = {"epoch": 1, "sequence": 1, "histories": 1}
_VERIFIED: Final[Row] = {
    **dict.fromkeys(("sequence", "policies", "fence", "epoch", "batches", "transaction"), 1),
    "histories": {"$slice": -1},
}

PoliciesOf = dict[SpaceId, tuple[str | None, Policies]]
"""Policies that spaces were seen to have: as they are stored, and parsed."""


class PoliciesChangedError(Exception):
    """The transaction decided by policies that are not those of the space any more; it runs again."""


class SpaceRow:
    """Of one space, in one transaction."""

    def __init__(
        self,
        commands: Commands,
        space: SpaceId,
        fence: Fence | None,
        policies: PoliciesOf,
        *,
        process: Callable[[], str | None],
        known_position: Position | None,
        verify: Callable[[Row | None], None],
        presumed: Row | None = None,
    ) -> None:
        """`process` names that of the database, once it has been reached. `known_position`: how far the space is
        known to have been. `verify` is given the row as it was before this transaction, and may raise. `presumed`: as
        the row is if nobody has changed it; None: that is not known."""
        self.position: Position | None = None
        """What was allotted last, if this is committed."""
        self._commands = commands
        self._space = space
        self._fence = fence
        self._policies_of = policies
        self._process = process
        self._known_position = known_position
        self._verify = verify
        self._presumed = presumed
        self.after: Row | None = None
        """The row when this is committed; None: that is not known."""
        self.mark: Mark | None = None
        """What the row says when this is committed; None: nothing was allotted."""
        self._ends_history = False
        self._name = os.urandom(8).hex()
        self._assumed: str | None = None
        self._unverified = False
        self._allotted: Allotted | None = None
        """What comes next: the sequence, its history, and what the space holds until then."""
        self._lineage: Lineage | None = None
        """As it was read, since a history began here."""
        self._unsent = 0
        """Sequences that were allotted since the row was changed,"""
        self._unsent_growth = NOTHING
        """and what comes with them."""

    @cached_property
    def _new_epoch(self) -> Epoch:
        """Of the space, if it is new."""
        return new_epoch()

    # Policies

    def policies(self) -> Policies:
        # They change rarely, and every write passes the space's row in `allot`: there a change is seen. What
        # writes nothing is verified at the end.
        known = self._policies_of.get(self._space)
        self._assumed, policies = known or self._remember_policies(self._read({"policies": 1}))
        self._unverified = True
        return policies

    def _verify_policies(self, row: Row | None) -> None:
        if self._unverified and self._assumed != (row or {}).get("policies"):
            self._remember_policies(row)
            raise PoliciesChangedError
        self._unverified = False

    def _remember_policies(self, row: Row | None) -> tuple[str | None, Policies]:
        if len(self._policies_of) >= _POLICIES_KEPT:
            self._policies_of.clear()
        known = self._policies_of[self._space] = ((row or {}).get("policies"), policies_of(row))
        return known

    # What the space holds

    def usage(self) -> Usage:
        known = self._allotted
        return usage_of(self._read(USAGE_FIELDS)) if known is None or known.usage is None else known.usage

    def lineage(self) -> Lineage:
        if self._lineage is None:
            self._lineage = lineage_of(self._read(_LINEAGE) or {"epoch": self._new_epoch, "sequence": 0})
        return self._lineage if self._allotted is None else replace(self._lineage, sequence=_before(self._allotted))

    # Sequences

    def begin_history(self) -> None:
        self._ends_history = True

    def allot(self, count: int, live_change: int, growth: Usage = NOTHING) -> Allotted:
        growth = Usage(live_change, growth.size, growth.history_size)
        if self._allotted is None or self._ends_history:
            self._send_counts()
            allotted = self._allot_in_database(count, growth)
        else:
            allotted = self._allotted
            self._unsent += count
            self._unsent_growth = self._unsent_growth.plus(growth)
        usage = None if allotted.usage is None else allotted.usage.plus(growth)
        self._allotted = Allotted(SequenceNumber(allotted.first + count), allotted.history, usage)
        if allotted.history is not None:
            self.position = Position(allotted.history, _before(self._allotted))
        return allotted

    def send(self, *, verify: bool) -> None:
        """Brings what is not in the database yet. Raises PoliciesChangedError if the space has other policies than
        those that were given out. `verify`: the row has to be seen even if nothing was allotted."""
        if self._ends_history:
            self.allot(0, 0)
        if self._allotted is None and (self._unverified or verify):
            row = self._read(_VERIFIED)
            self._verify_policies(row)
            self._verify(row)
        self._send_counts()

    def _allot_in_database(self, count: int, growth: Usage) -> Allotted:
        values: Row = {"transaction": self._name}
        if self._fence is not None:
            values["fence"] = [self._fence.number, self._fence.token]
        process = self._process()
        if process is not None:
            values["process"] = process
        before, self._presumed = self._presumed, None
        counts = {**_counts(count, growth), "batches": 1, "sized": 1}
        change: Row = {"$inc": counts, "$set": values}
        if before is None:
            change["$setOnInsert"] = {"epoch": self._new_epoch}
        else:  # what is there as it will be costs the database as much as what is not
            change["$set"] = {name: value for name, value in values.items() if before.get(name) != value}
            change["$inc"] = counts = {name: number for name, number in counts.items() if number}
        # The whole row: to choose among its fields takes the database longer than to send them.
        command = {"findAndModify": "spaces", "query": {"_id": self._space}, "update": change}
        if before is not None:
            self._commands.post(command, seen=partial(self._verify_presumed, before, self._unverified))
            self._verify_row(before)  # while the database looks at its own
        else:
            before = _with_newest_history(self._commands.run({**command, "upsert": True})["value"])
            self._verify_row(before)
        first = SequenceNumber((before or {}).get("sequence", 0) + 1)
        known = before or {"_id": self._space, "epoch": self._new_epoch}
        self.after = {**_counted(known, counts), **values}
        history = self._history(before, process)
        self.mark = Mark(self._name, (before or {}).get("batches", 0) + 1, history)
        return Allotted(first, history, usage_of(before))

    def _verify_row(self, before: Row | None) -> None:
        """Given the row as it was before this transaction."""
        self._verify_policies(before)
        self._verify_fence(before)
        self._verify(before)

    def _verify_presumed(self, presumed: Row, unverified: bool, answer: Row) -> None:
        """`unverified`: whether policies were given out that were not verified by the row."""
        before = _with_newest_history(answer["value"])
        if before != presumed:
            self._unverified = unverified
            self._verify_row(before)
            raise HeadsChangedError(presumed=False)

    def _send_counts(self) -> None:
        if self._unsent or self._unsent_growth != NOTHING:
            counts = _counts(self._unsent, self._unsent_growth)
            self._change({"$inc": counts})
            self.after = None if self.after is None else _counted(self.after, counts)
            self._unsent, self._unsent_growth = 0, NOTHING

    def _history(self, before: Row | None, process: str | None) -> Epoch:
        """That the new sequences are of; begun if the store may be older than what it told somebody."""
        if before is None:
            self._ends_history = False
            return self._new_epoch
        newest = lineage_of(before)
        ends = (
            self._ends_history
            or (process is not None and before.get("process") != process)
            or (self._known_position is not None and newest.is_ahead(self._known_position))
        )
        self._ends_history = False
        if not ends:
            return newest.current
        row = self._read(_LINEAGE) or before
        lineage = with_new_history(lineage_of({**row, "sequence": before["sequence"]}))
        self._change({"$set": {"histories": history_rows(lineage)}})
        self._known_position = None
        self._lineage = None
        self.after = None
        return lineage.current

    def _verify_fence(self, before: Row | None) -> None:
        number, token = (before or {}).get("fence", (0, ""))
        fence = self._fence
        if fence is not None and (number > fence.number or (number == fence.number and token != fence.token)):
            raise FencedError(number)

    def _change(self, change: Row) -> None:
        self._commands.update("spaces", [{"q": {"_id": self._space}, "u": change}])

    def _read(self, projection: Row) -> Row | None:
        return self._commands.find_one("spaces", {"_id": self._space}, projection)


def _before(next_: Allotted) -> SequenceNumber:
    return SequenceNumber(next_.first - 1)


def _with_newest_history(row: Row | None) -> Row | None:
    """Without those before it, which may be many."""
    histories = None if row is None else row.get("histories")
    return row if row is None or not histories else {**row, "histories": histories[-1:]}


def _counted(row: Row, counts: Row) -> Row:
    """The row after `$inc`."""
    return {**row, **{name: row.get(name, 0) + count for name, count in counts.items()}}


def _counts(count: int, growth: Usage) -> Row:
    return {
        "sequence": count,
        "live": growth.documents,
        "size": growth.size or 0,
        "history_size": growth.history_size or 0,
    }
