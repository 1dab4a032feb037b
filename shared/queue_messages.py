"""The wire forms of the queue: submissions on their way to a worker, and the replies. Private to one release: no
process of another reads them.

    envelope     b'<name> <items> ["<process>", <number>, [[<submission>, <item>], ...]]'
                 name: "<process>.<number>/<request id>/<traceparent>", the last two only if there are such: workers
                 of an earlier release do not look into it. In the inbox its expiry stands in front of it, in
                 milliseconds since 1970 and a space (adapters/redis/scripts/put.lua).
    submission   [document, state, hash, arrived_at, base, base_state, device, single_device, acknowledged] and, if
                 there is a version, [..., version, ancestors]
                 base_state: [] if none was sent. acknowledged: null or [at, sequence].
                 ancestors: null or [[version, state, hash], ...]
    item         [by, dry_run, confirmed]
    replies      [[<number>, [<reply>, ...]], ...]
    reply        ["answer", outcome, rule, hash, rev, body, same, conflicts] and, if there is one, the version
                 ["refusal", code, rule], ["unavailable"], ["too long"] or ["failed"]

The fields are those of Submission, Item, Answer and Refusal. A body of more than 16 KiB is sent in a reply as a
string that holds its JSON text, so that a process that only passes it on need not parse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from shared import codec, tracing
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, JsonText
from shared.core.resolution.ancestors import Ancestor
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import AcknowledgedMap, Given, Outcome, Refusal, Submission
from shared.core.version_vectors import Version
from shared.observability import request_id
from shared.ports import DecisionError, EncodedItem, Envelope, Reply, UnavailableError

_AS_TEXT_BYTES: Final = 16 * 1024
MOST_REPLY_BYTES: Final = 8 * 1024 * 1024
"""Of the replies to one envelope. What comes after them is answered `UnavailableError`: it is stored, and sent again
it gets its answer."""


def encode_item(item: Item) -> EncodedItem:
    """`item` as it travels."""
    s = item.submission
    return encode_fields(
        s.document,
        s.client_state,
        s.hash,
        s.arrived_at,
        base=s.base,
        base_state=s.base_state,
        device=s.device,
        single_device=s.single_device,
        acknowledged=s.acknowledged,
        version=s.version,
        ancestors=None if s.ancestors is None else _ancestors_text(s.ancestors),
        by=item.by,
        dry_run=item.dry_run,
        confirmed=item.confirmed,
    )


def encode_fields(
    document: DocumentId,
    state: Body | JsonText | None,
    hash_: ContentHash | None,
    arrived_at: float,
    *,
    base: str | None,
    base_state: Body | JsonText | Given | None,
    device: DeviceId | None,
    single_device: bool,
    acknowledged: AcknowledgedMap | None,
    version: Version | None = None,
    ancestors: JsonText | None = None,
    by: DeviceId,
    dry_run: bool,
    confirmed: bool,
) -> EncodedItem:
    """The fields of a Submission and an Item, their bodies as values or as text."""
    given: Any = [] if isinstance(base_state, Given) else base_state
    known = acknowledged and (acknowledged.at, acknowledged.sequence)
    fields: list[Any] = [document, state, hash_, arrived_at, base, given, device, single_device, known]
    if version is not None:
        fields += [version, ancestors]
    row = codec.dumps([fields, [by, dry_run, confirmed]])
    return EncodedItem(document, device if single_device else None, row)


def dump_envelope(process: str, number: int, items: Sequence[EncodedItem]) -> bytes:
    """A name of its own and the number of items stand in front."""
    rows = b",".join([item.row for item in items])
    name = envelope_name(process, number)
    return b'%s %d ["%s",%d,[%s]]' % (name.encode(), len(items), process.encode(), number, rows)


def envelope_name(process: str, number: int) -> str:
    """With the id of the request that is being answered, and its trace."""
    identity, trace = request_id(), tracing.current()
    if trace is None:
        return f"{process}.{number}/{identity}" if identity else f"{process}.{number}"
    return f"{process}.{number}/{identity or ''}/{trace}"


def load_envelope(data: bytes) -> Envelope:
    """Raises ValueError for anything else."""
    name, _, content = data.split(b" ", 2)
    process, number, rows = orjson.loads(content)
    delivery = f"{process}.{number}"
    _, request, trace = (*name.decode("ascii").split("/"), "", "")[:3]
    return Envelope(process, number, tuple(_item(row, delivery, request or None) for row in rows), trace or None)


def _item(row: list[Any], delivery: str, request: str | None) -> Item:
    fields, (by, dry_run, confirmed) = row
    document, state, hash_, arrived_at, base, base_state, device, single, acknowledged, *more = fields
    version, earlier = more or (None, None)
    ancestors = None if earlier is None else tuple(Ancestor(*ancestor) for ancestor in earlier)
    given: Body | Given | None = Given.NOTHING if base_state == [] else base_state
    acknowledged = None if acknowledged is None else AcknowledgedMap(*acknowledged)
    submission = Submission(document, state, hash_, arrived_at, base, given, device, single, acknowledged, delivery)
    if more:
        submission = replace(submission, version=version, ancestors=ancestors)
    return Item(submission, by, dry_run, confirmed, request)


def _ancestors_text(ancestors: Sequence[Ancestor]) -> JsonText:
    return JsonText(orjson.dumps([[ancestor.version, ancestor.state, ancestor.hash] for ancestor in ancestors]))


def dump_replies(number: int, replies: Sequence[Reply]) -> bytes:
    """The replies to an envelope: `[number, [[kind, ...], ...]]`."""
    rows: list[bytes] = []
    bytes_left = MOST_REPLY_BYTES
    for reply in replies:
        row = orjson.dumps(_reply_row(reply)) if bytes_left > 0 else _TOO_LONG
        rows.append(row)
        bytes_left -= len(row)
    return b"[%d,[%s]]" % (number, b",".join(rows))


def size_of(reply: Reply) -> int:
    """About as many bytes of it: those of a body that is text, and of what it says of conflicts."""
    if not isinstance(reply, Answer):
        return 0
    body = len(reply.body) if isinstance(reply.body, JsonText) else 0
    return body + codec.size_of(reply.conflicts) if reply.conflicts else body


def joined(replies: Iterable[bytes]) -> bytes:
    """Replies to several envelopes of one process."""
    return b"[%s]" % b",".join(replies)


def load_replies(data: bytes) -> list[tuple[int, list[Reply]]]:
    return [(number, [_reply(row) for row in rows]) for number, rows in orjson.loads(data)]


_TOO_LONG: Final = b'["too long"]'
_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}


def _reply_row(reply: Reply) -> list[Any]:
    match reply:
        case Answer() as a:
            row = ["answer", a.outcome, a.rule, a.hash, a.rev, _body_field(a.body), a.same, a.conflicts]
            return row if a.version is None else [*row, a.version]
        case Refusal():
            return ["refusal", reply.code, reply.rule]
        case UnavailableError():
            return ["unavailable"]
        case _:
            return ["failed"]


def _body_field(body: Body | JsonText | None) -> Any:
    if body is None:
        return None
    text = body if isinstance(body, JsonText) else orjson.dumps(body)
    return text.decode() if len(text) > _AS_TEXT_BYTES else orjson.Fragment(bytes(text))


def _reply(row: list[Any]) -> Reply:
    match row:
        case ["answer", outcome, rule, hash_, rev, body, same, conflicts, *more]:
            known = JsonText(body.encode()) if isinstance(body, str) else body
            version = more[0] if more else None
            return Answer(_OUTCOMES[outcome], rule, hash_, rev, known, same, tuple(conflicts), version)
        case ["refusal", code, rule]:
            return Refusal(code, rule)
        case ["unavailable"]:
            return UnavailableError("the worker could not store it now")
        case ["too long"]:
            return UnavailableError("the answer together with the others would be too long")
        case ["failed"]:
            return DecisionError("the worker could not decide it")
    raise ValueError("not a reply")
