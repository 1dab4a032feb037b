"""What becomes of a document when the upstream has answered.

| sent | here now | answered | here then |
|---|---|---|---|
| S | S | T | T |
| S | D, newer | T | D's edits since S on T |
| S | D, newer | none | D, on the tombstone, with S as shadow |
| S | deleted | S, or none | deleted |
| S | deleted | T | T: the edit of somebody else wins |
| a deletion | created again | T, or none | what was created, on T |

Laws (tests/unit/client/sync/engine/test_answer.py):
    without an edit since it was sent, the file becomes what was answered
    an edit since then is in the result, or the result is asked for once more
    the base, the shadow and what was answered are one and the same state, unless the document was kept
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from client.sync.engine.records import Outline, Pending, Record, UpstreamAnswer
from shared.codec import content_hash
from shared.core.identifiers import Body, ContentHash
from shared.core.json.canonical import equal
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.protocol import CREATED

if TYPE_CHECKING:
    from shared.core.merge.conflicts import Conflict


class NextState(NamedTuple):
    """What file and memory are to hold when an answer is applied; stored as one."""

    doc: Body | None
    """What the file must hold; None: no file."""
    record: Record
    conflicts: tuple[Conflict, ...] = ()
    """Decided here."""


def on_answer(
    pending: Pending,
    now: Body | None,
    answer: UpstreamAnswer,
    policies: Policies = NO_POLICIES,
    *,
    unedited: bool = False,
) -> NextState:
    """`now`: what the file holds at this moment. `unedited`: it was sent as it had been agreed on, to be verified."""
    sent = None if pending.deletes else pending.body
    if unedited and answer.state is None and sent is not None and _same(now, sent):
        # It is gone there. The next plan removes all such files together, so that the deletion guard sees how many.
        return NextState(now, _record(answer, shadow=sent))
    return edits_since(sent, now, answer, policies, removed=pending.shadow)


def edits_since(
    sent: Body | None,
    now: Body | None,
    answer: UpstreamAnswer,
    policies: Policies = NO_POLICIES,
    *,
    removed: Body | None = None,
) -> NextState:
    """What was edited between `sent` and `now`, on what was answered. `sent` None: a deletion, of `removed`."""
    if _same(now, sent):
        return NextState(answer.state, agreed(answer))
    if now is None:  # deleted since
        unseen = not _same(answer.state, sent)
        return NextState(answer.state if unseen else None, agreed(answer))
    if answer.state is None:
        return NextState(now, _record(answer, shadow=sent))
    merged = merged_onto(sent if sent is not None else removed, answer.state, now, policies)
    return NextState(merged.doc, agreed(answer), merged.conflicts)


def on_fetched(record: Record, now: Body | None, answer: UpstreamAnswer) -> NextState | None:
    """For an answer to nothing that was sent. None: the document was edited meanwhile, so the edit goes first."""
    if not _same(now, record.shadow) and not _same(now, answer.state):
        return None
    return NextState(answer.state, agreed(answer))


def is_forgotten(base: str | None, answer: UpstreamAnswer) -> bool:
    """Whether the answer is of an upstream that does not know the base any more: it was wiped, or put back to an
    earlier state. Sequences only grow, whatever an upstream goes through."""
    if base is None or base == CREATED or answer.rev is None:
        return False
    from shared.core.resolution.revs import parse_rev  # noqa: PLC0415  a sync that finds nothing needs none

    before, now = parse_rev(base), parse_rev(answer.rev)
    if before is None:
        return answer.rev == CREATED
    return now is None or now.sequence < before.sequence


def may_be_lost(bases: Iterable[str], listened: str | None, now: str | None) -> bool:
    """Whether the upstream may not know one of the bases any more though it takes the cursor `listened`: it gave out
    the base after that cursor, and in another history than that of the cursor `now`. So it is when an upstream was
    put back to a moment between the two, and for what was answered right before a database began another history."""
    if listened == now:
        return False
    from shared.core.index.cursors import parse_cursor  # noqa: PLC0415  as above
    from shared.core.resolution.revs import parse_rev  # noqa: PLC0415  as above

    then, here = (parse_cursor(cursor) if cursor is not None else None for cursor in (listened, now))
    if then is None or here is None or then.epoch == here.epoch:
        return False
    known = (parts for base in bases if (parts := parse_rev(base)) is not None)
    return any(parts.sequence > then.sequence and parts.history != here.epoch for parts in known)


def agreed(answer: UpstreamAnswer) -> Record:
    """What is remembered when file and upstream are at the answered state."""
    return _record(answer, shadow=answer.state)


class MergedDoc(NamedTuple):
    """A document and what was decided when it was made."""

    doc: Body
    conflicts: tuple[Conflict, ...] = ()


def merged_onto(base: Body | None, state: Body, mine: Body, policies: Policies = NO_POLICIES) -> MergedDoc:
    """The edits from `base` to `mine`, on `state`; where both changed a place, mine stand."""
    from shared.core.merge.objects import merge  # noqa: PLC0415  as above

    merged = merge([base or {}], state, mine, policies=policies, explicit_base=True)
    assert isinstance(merged.value, dict)  # of two objects an object is made
    return MergedDoc(merged.value, merged.conflicts)


def _record(answer: UpstreamAnswer, *, shadow: Body | None) -> Record:
    outline = Outline(
        base=answer.rev if answer.rev is not None else answer.hash,
        gone=answer.state is None,
        shadow_hash=_hash_of(shadow, answer),
        remote_hash=answer.hash,
    )
    return Record(outline, shadow, version=answer.version)


def _hash_of(body: Body | None, answer: UpstreamAnswer) -> ContentHash | None:
    if body is None:
        return None
    return answer.hash if body is answer.state else content_hash(body)


def _same(a: Body | None, b: Body | None) -> bool:
    return equal(a, b)
