"""Holding a space to its quota, in the transaction that would let it grow: there the numbers are right, whoever else
writes.

A transaction first counts on room: the space's numbers before it come with its sequences, which it has to get in any
case, so a space that is far from its quota costs nothing more. Where they show that there may be no room the
transaction is run again, `exact`: it reads the numbers first and refuses what does not fit, document by document.
"""

from __future__ import annotations

from shared import codec
from shared.core.protocol import QUOTA_EXCEEDED
from shared.core.resolution.context import Decision, DocumentContext, Refusal
from shared.core.resolution.quota import ReachedQuota, growth_of, only_growth, reached
from shared.core.resolution.usage import Quota, Usage, total
from shared.ports import Transaction


class QuotaReachedError(Exception):
    """The transaction may be too much for the space. Nothing of it is stored; run it again, exact."""


class QuotaLedger:
    """What one attempt of a transaction adds to a space."""

    def __init__(self, quota: Quota, *, exact: bool) -> None:
        self._quota = quota
        self._exact = exact
        self._usage: Usage | None = None
        self._admitted: list[Usage] = []

    @property
    def growth(self) -> Usage:
        """Of what was admitted since the last `allotted`."""
        return total(self._admitted)

    def admit(self, transaction: Transaction, decision: Decision, context: DocumentContext) -> Refusal | None:
        """Counts the decision, which will be stored unless a Refusal is returned."""
        reached_quota = self._count(transaction, growth_of(decision, context.head, codec.size_of))
        return None if reached_quota is None else Refusal(QUOTA_EXCEEDED, reached_quota.rule)

    def has_room(self, transaction: Transaction, growth: Usage) -> bool:
        """Counts it, if there is room. Of an exact attempt."""
        return self._count(transaction, growth) is None

    def _count(self, transaction: Transaction, growth: Usage) -> ReachedQuota | None:
        if self._exact and self._quota.is_limited:
            if self._usage is None:
                self._usage = transaction.usage()
            reached_quota = reached(self._usage, growth, self._quota)
            if reached_quota is not None:
                return reached_quota
            self._usage = self._usage.plus(growth)
        self._admitted.append(growth)
        return None

    def forget_growth(self) -> None:
        """What was admitted has been stored by somebody who said its growth."""
        self._admitted.clear()

    def allotted(self, before: Usage | None) -> None:
        """What was admitted is being stored in a space that held `before`. Raises QuotaReachedError."""
        counts = not self._exact and self._quota.is_limited
        grown = total([only_growth(growth) for growth in self._admitted]) if counts else Usage()
        self.forget_growth()
        if counts and before is not None and reached(before, grown, self._quota) is not None:
            raise QuotaReachedError
