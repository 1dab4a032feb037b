"""What the server decides for one client state: pure, without clock, randomness or order of keys.

The rows, of which the first that matches decides what a live client state S is compared with:

     1 null                                     nothing: answer the head
     2 S is the head                            nothing to write
     3 base, and S was received on it           a repeat: no edits
     4 base 0                                   {}
     5 base, and the device sent more since     the base; what is as the device sent it is no edit
     6 base is a tombstone                      base_state, or {}; the server's changes count from the body
                                                that the tombstone buried
     7 base, its body is here                   that body
     8 base, its body came with it              that body
     9 base, no body                            refused, `base-unknown`
    10 a device with memory                     what it may be on (pick), unless the guard finds a
                                                contradiction; no edits in what it edited further before
                                                (late)
    11 S was received before                    merely behind: answer the head
    12 states are near                          those; a strong value that was seen before is no edit
    13 nothing is near                          {}, likewise

A state with a version is decided by that alone (14, `shared.core.resolution.by_version`); a base that the store no
longer knows takes the place of rows 2 to 9 (`shared.core.resolution.lost_base`).

Rows 3 to 13 are `shared.core.resolution.base_selection`; `case` compares the state with what they say, `rebase` puts
its edits onto the head, `decision_builder` says what is answered and written.

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
    request: Submission,
    policies: Policies = NO_POLICIES,
    *,
    hash_of: HashOf = content_hash,
) -> Decision | Refusal | NeedsData:
    """Decides, or says what must be loaded first: then it is called once more with that in `context`, and starts
    from the top. `hash_of` may be a faster content hash."""
    case = Case(context, request, policies, hash_of)
    state = request.client_state
    try:
        again = case.answered_before()
        if again is not None:
            return again
        if request.version is not None:
            return decide_by_version(case, request.version)
        lost = lost_base(case.look)
        if lost is not None and (state is not None or lost.deleted):
            return decide_on_lost_base(case, lost)
        if state is None:
            return case.answer_head("1 null")
        return case.dead(state) if is_tombstone(state) else case.live(state)
    except Need as need:
        return need.missing


def needs_acknowledgement(base: str | None, *, deletes: bool) -> bool:
    """Whether `Submission.agreed` can matter. `deletes`: the client state is a tombstone."""
    return base is None and deletes
