"""Deciding for an upstream without a server: what a client wants, by the product's one decision path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from client.sync.engine.records import NotNow, Pending, Refused, UpstreamAnswer, UpstreamReply
from client.sync.upstream import NotAnUpstreamError, Outgoing
from shared import codec
from shared.adapters.memory import Entry
from shared.core.identifiers import Body, DeviceId, DocumentId, JsonText
from shared.core.index.lineage import Lineage
from shared.core.json.strict import FaultError
from shared.core.merge.policies import NO_POLICIES, InvalidPolicies, Policies, parse
from shared.core.protocol import CREATED, TOO_LARGE, Limits
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Given, Refusal, Submission
from shared.core.resolution.states import DELETED_KEY
from shared.core.version_vectors import Source, Version, join
from shared.ports import Reply, Transaction
from shared.transaction import CachedResolver, decide

BY_HAND: Final = DeviceId("by hand")
"""The device whose edits are those that people made in the upstream itself."""
MAX_BYTES: Final = Limits().max_document_bytes
_DEPTH: Final = 3
"""Of a file with policies."""


def submission_of(one: Outgoing, device: DeviceId, at: float, *, with_base: bool = True) -> Submission:
    """A state as it arrives. `with_base`: with the body of its base and with earlier states, asked for or not; else
    with earlier states if the upstream may not have seen them."""
    pending = one.pending
    asked: Version | None = {} if one.says_versions else None
    if pending is None:
        return Submission(one.id, None, None, at, CREATED, Given.NOTHING, device, single_device=True, version=asked)
    return Submission(
        one.id,
        pending.body,
        pending.hash,
        at,
        pending.base,
        pending.shadow if with_base or pending.attach else Given.NOTHING,
        device,
        single_device=True,
        version=pending.version if pending.version is not None else asked,
        ancestors=one.ancestors() if (with_base or one.brings) and pending.version is not None else None,
    )


def items_of(
    outgoing: Sequence[Outgoing], device: DeviceId, at: float, *, confirmed: bool, with_base: bool = True
) -> list[Item]:
    """For `decide`. `at`: seconds since 1970."""
    submissions = [submission_of(one, device, at, with_base=with_base) for one in outgoing]
    return [Item(submission, device, confirmed=confirmed) for submission in submissions]


def edit_by_hand(
    document: DocumentId, body: Body | None, entry: Entry | None, lineage: Lineage, *, source: Source, at: float
) -> Outgoing:
    """What somebody made of the head in the upstream itself; None: a deletion. `source`: of the driver that found it.
    It goes by the clock, so that an upstream that is put back gives no number twice. Raises ValueError for a deletion
    of what was never there."""
    version: Version = {}
    if entry is not None:
        head = entry.head
        version = head.version if head.version is not None else lineage.version_of(head.sequence, head.history)
    if body is None:
        if entry is None or entry.head.body is None:
            raise ValueError(f"there is no {document}")
        body = {**entry.head.body, DELETED_KEY: True}
    base = entry.head.rev if entry is not None else CREATED
    number = max(version.get(source, 0) + 1, int(at * 1000))
    return Outgoing(document, Pending(body, codec.content_hash(body), base, version=join(version, {source: number})))


def decided(
    transaction: Transaction, outgoing: Sequence[Outgoing], device: DeviceId, at: float, *, confirmed: bool
) -> dict[DocumentId, UpstreamReply]:
    """The replies; what is to be stored is in the transaction."""
    refused = refusals(outgoing)
    taken = [one for one in outgoing if one.id not in refused]
    items = items_of(taken, device, at, confirmed=confirmed)
    replies, _ = decide(transaction, CachedResolver(MAX_BYTES), items)
    return {**refused, **{one.id: reply_of(one, reply) for one, reply in zip(taken, replies, strict=True)}}


def refusals(outgoing: Sequence[Outgoing]) -> dict[DocumentId, UpstreamReply]:
    """Of the states that are larger than a document may be: as a server measures what arrives."""
    return {
        one.id: refused for one in outgoing if one.pending and (refused := too_large(one.pending.body)) is not None
    }


def too_large(body: Body) -> Refused | None:
    """A refusal, if this is larger than a document may be."""
    size = size_of(body)
    if size <= MAX_BYTES:
        return None
    return Refused(TOO_LARGE, f"The canonical form has {size} bytes; {MAX_BYTES} are allowed.")


def grew_too_large(body: Body, before: Body | None) -> Refused | None:
    """A refusal of a state made by hand that is larger than a document may be, and than what was there: what gets
    smaller is never refused."""
    refused = too_large(body)
    if refused is None or (before is not None and size_of(body) < size_of(before)):
        return None
    return refused


def size_of(body: Body) -> int:
    """Bytes of the canonical form."""
    return len(codec.canonical(body))


def reply_of(one: Outgoing, decided: Reply) -> UpstreamReply:
    """A decision as the sync engine takes it."""
    if isinstance(decided, Refusal):
        if decided.code == "deletions-held":
            return Refused(decided.code, f"{decided.rule}. If they are intended: hypertask sync --confirm-deletions")
        return Refused(decided.code, decided.rule)
    if not isinstance(decided, Answer):
        return NotNow(str(decided))
    state = one.pending.body if decided.same and one.pending is not None else decided.body
    conflicts = tuple(dict(row) for row in decided.conflicts)
    assert not isinstance(state, JsonText), "nothing was sent as text"
    return UpstreamAnswer(
        state, decided.hash, decided.rev, str(decided.outcome), decided.rule, conflicts, decided.version
    )


def policies_in(text: bytes | None, where: str) -> Policies:
    """The policies that a file declares, as `PUT /policies` takes them; none without a file. Raises
    NotAnUpstreamError: to decide without them could lose what they protect."""
    if text is None:
        return NO_POLICIES
    try:
        return parse(codec.parse(text, max_depth=_DEPTH))
    except FaultError as error:
        fault = error.fault.detail.rstrip(".")
    except InvalidPolicies as error:
        fault = f"{error.detail} (at {error.pointer})"
    raise NotAnUpstreamError(f"the policies in {where} are not valid: {fault}. Correct or remove that file.")
