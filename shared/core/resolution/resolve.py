"""What the server decides for one client state: pure, without clock, randomness or order of keys.

The rules are rows, numbered as in docs/merge.md ("Which base"), which says them and the order in which they are
asked. `resolve` asks: was the request answered before, has the state a version (row 14, `by_version`), is its base
lost (`lost_base`), is it null (row 1), a tombstone, or live (`case`). Rows 3 to 13 are `base_selection`; `case`
compares the state with what they say, `rebase` puts its edits onto the head, `decision_builder` says what is answered
and written.

Laws (tests/unit/core/resolution/test_resolve_laws.py):
    the same memory and submission give the same decision
    repeating a submission makes no revision and adds nothing to what is kept
    posting the answer back changes nothing
    null never deletes; a state that was received before never brings back what was deleted
    an edit is in the result, or in a conflict with its value in the revisions; nothing else is dropped
"""

from __future__ import annotations

from shared.core.json.canonical import content_hash
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution.by_version import decide_by_version
from shared.core.resolution.case import Case
from shared.core.resolution.context import (
    Decision,
    DocumentContext,
    NeedsData,
    Refusal,
    Submission,
)
from shared.core.resolution.lookup import HashOf, Need
from shared.core.resolution.lost_base import decide_on_lost_base, lost_base
from shared.core.resolution.states import is_tombstone


def resolve(
    context: DocumentContext,
    submission: Submission,
    policies: Policies = NO_POLICIES,
    *,
    hash_of: HashOf = content_hash,
) -> Decision | Refusal | NeedsData:
    """Decides, or says what must be loaded first: then it is called once more with that in `context`, and starts
    from the top. `hash_of` may be a faster content hash."""
    case = Case(context, submission, policies, hash_of)
    state = submission.client_state
    try:
        again = case.answered_before()
        if again is not None:
            return again
        if submission.version is not None:
            return decide_by_version(case, submission.version)
        lost = lost_base(case.lookup)
        if lost is not None and (state is not None or lost.deleted):
            return decide_on_lost_base(case, lost)
        if state is None:
            return case.answer_head("1 null")
        return case.decide_tombstone(state) if is_tombstone(state) else case.decide_live(state)
    except Need as need:
        return need.missing


def needs_acknowledgement(base: str | None, *, deletes: bool) -> bool:
    """Whether `Submission.acknowledged` can matter. `deletes`: the client state is a tombstone."""
    return base is None and deletes
