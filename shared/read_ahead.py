"""What the rules ask of the store, read for several submissions together.

Of one document each submission is decided on what the one before it stored. What the later ones ask is read ahead, as
if each of them were decided on a head that comes after the present one. That is most of what they ask when their
turns come, so the store is asked once and not each time; and a context that has it at once is decided once, not each
time from the top until something else is missing. It has no other effect: what is loaded at an item's turn is what is
stored by then, and the rules look at nothing that they do not ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from shared.core.documents import SequenceNumber
from shared.core.merge.policies import Policies
from shared.core.resolution.context import DocumentContext, NeedsData, Submission
from shared.core.resolution.revs import parse_rev
from shared.large import ContextAndSubmission
from shared.ports import Transaction

_PASSES: Final = 2
"""Of those in which a submission is resolved these come before a merge, as a rule: what the base was, and what came
since."""


class Rules(Protocol):
    """The rules."""

    def are_large(self, cases: Sequence[ContextAndSubmission]) -> bool:
        """Whether these together may take long to decide."""

    def resolve_all(self, cases: Sequence[ContextAndSubmission], policies: Policies) -> Sequence[object]:
        """For each case NeedsData, or anything else if nothing is missing."""


def load(
    transaction: Transaction,
    submissions: Sequence[Submission],
    contexts: list[DocumentContext],
    wanted: Mapping[int, NeedsData],
) -> None:
    """Puts in place of the contexts at these places those with what is missing."""
    if not wanted:
        return
    loaded = transaction.load([(contexts[place], submissions[place], missing) for place, missing in wanted.items()])
    lineage = transaction.lineage() if any(missing.lineage for missing in wanted.values()) else None
    for (place, missing), context in zip(wanted.items(), loaded, strict=True):
        contexts[place] = replace(context, lineage=lineage) if missing.lineage else context


def read_ahead(
    transaction: Transaction,
    rules: Rules,
    policies: Policies,
    submissions: Sequence[Submission],
    next_ones: int,
) -> dict[int, NeedsData]:
    """By the places of submissions what is to be loaded at their turns. `next_ones`: so many of them, the first, are
    decided on the heads that there are now. What is large is not looked at twice."""
    present = transaction.first_contexts(submissions)
    if rules.are_large(list(zip(present, submissions, strict=True))):
        return {}
    contexts = [*present[:next_ones], *map(_with_later_head, present[next_ones:])]
    asked: dict[int, NeedsData] = {}
    todo = [place for place, context in enumerate(contexts) if context.history is None]
    for _ in range(_PASSES):
        resolved = rules.resolve_all([(contexts[place], submissions[place]) for place in todo], policies)
        wanted = {
            place: result for place, result in zip(todo, resolved, strict=True) if isinstance(result, NeedsData)
        }
        load(transaction, submissions, contexts, wanted)
        asked.update({place: both(asked[place], new) if place in asked else new for place, new in wanted.items()})
        todo = list(wanted)
    return {
        place: _asked_later(needs, present[place], submissions[place])
        for place, needs in asked.items()
        if not needs.lineage  # then it is not certain that the same is asked
    }


def both(first: NeedsData, then: NeedsData) -> NeedsData:
    """What was asked, and what was asked when that was loaded."""
    return NeedsData(
        first.states | then.states,
        then.pairs_since if first.pairs_since is None else first.pairs_since,
        first.seen | then.seen,
        first.recent or then.recent,
        first.lineage or then.lineage,
        then.ancestors if first.ancestors is None else first.ancestors,
    )


def _with_later_head(context: DocumentContext) -> DocumentContext:
    head = context.head
    return (
        context if head is None else replace(context, head=replace(head, sequence=SequenceNumber(head.sequence + 1)))
    )


def _asked_later(needs: NeedsData, context: DocumentContext, submission: Submission) -> NeedsData:
    """Without the pairs of the device, unless it is certain that they are asked since the same sequence."""
    base = parse_rev(submission.base) if submission.base is not None else None
    is_known = base is not None and context.head is not None and base.sequence <= context.head.sequence
    if is_known and base is not None and needs.pairs_since == base.sequence:
        return needs
    return replace(needs, pairs_since=None)
