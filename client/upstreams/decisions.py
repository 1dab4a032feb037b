"""Deciding for an upstream without a server: what a client wants, by the product's one decision path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from client.engine.records import Answer, NotNow, Refused, Reply
from client.upstreams.port import NotAnUpstreamError, Outgoing
from shared import wire
from shared.core.batch import Answer as Decided
from shared.core.batch import Item
from shared.core.documents import Body, DeviceId, DocumentId, JsonText
from shared.core.memory import CREATED, Given, Refusal, Submission
from shared.core.policies import NO_POLICIES, InvalidPolicies, Policies, parse
from shared.core.protocol import Limits
from shared.core.size_limit import TOO_LARGE
from shared.core.strict import FaultError
from shared.ports import Reply as Found
from shared.ports import Transaction
from shared.transaction import CachedResolver, decide

BY_HAND: Final = DeviceId("by hand")
"""The device whose edits are those that people made in the upstream itself."""
MAX_BYTES: Final = Limits().max_document_bytes
_DEPTH: Final = 3
"""Of a file with policies."""


def submission_of(one: Outgoing, device: DeviceId, at: float, *, with_base: bool = True) -> Submission:
    """A state as it arrives. `with_base`: with the body of its base, asked for or not."""
    pending = one.pending
    if pending is None:
        return Submission(one.id, None, None, at, CREATED, Given.NOTHING, device, single_device=True)
    base_state = pending.shadow if with_base or pending.attach else Given.NOTHING
    return Submission(one.id, pending.body, pending.hash, at, pending.base, base_state, device, single_device=True)


def items_of(
    outgoing: Sequence[Outgoing], device: DeviceId, at: float, *, confirmed: bool, with_base: bool = True
) -> list[Item]:
    """For `decide`. `at`: seconds since 1970."""
    submissions = [submission_of(one, device, at, with_base=with_base) for one in outgoing]
    return [Item(submission, device, confirmed=confirmed) for submission in submissions]


def decided(
    transaction: Transaction, outgoing: Sequence[Outgoing], device: DeviceId, at: float, *, confirmed: bool
) -> dict[DocumentId, Reply]:
    """The replies; what is to be stored is in the transaction."""
    refused = refusals(outgoing)
    taken = [one for one in outgoing if one.id not in refused]
    items = items_of(taken, device, at, confirmed=confirmed)
    replies, _ = decide(transaction, CachedResolver(MAX_BYTES), items)
    return {**refused, **{one.id: reply_of(one, reply) for one, reply in zip(taken, replies, strict=True)}}


def refusals(outgoing: Sequence[Outgoing]) -> dict[DocumentId, Reply]:
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
    return len(wire.canonical(body))


def reply_of(one: Outgoing, found: Found) -> Reply:
    """A decision as the sync engine takes it."""
    if isinstance(found, Refusal):
        if found.code == "deletions-held":
            return Refused(found.code, f"{found.rule}. If they are meant: hypertask sync --confirm-deletions")
        return Refused(found.code, found.rule)
    if not isinstance(found, Decided):
        return NotNow(str(found))
    state = one.pending.body if found.same and one.pending is not None else found.body
    conflicts = tuple(dict(row) for row in found.conflicts)
    assert not isinstance(state, JsonText), "nothing was sent as text"
    return Answer(state, found.hash, found.rev, str(found.outcome), found.rule, conflicts)


def policies_in(text: bytes | None, where: str) -> Policies:
    """The policies that a file declares, as `PUT /policies` takes them; none without a file. Raises
    NotAnUpstreamError: to decide without them could lose what they protect."""
    if text is None:
        return NO_POLICIES
    try:
        return parse(wire.parse(text, max_depth=_DEPTH))
    except FaultError as error:
        fault = error.fault.detail.rstrip(".")
    except InvalidPolicies as error:
        fault = f"{error.detail} (at {error.pointer})"
    raise NotAnUpstreamError(f"the policies in {where} are not valid: {fault}. Correct or remove that file.")
