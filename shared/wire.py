"""Bytes <-> core types. The only module that knows field names on the wire, and the fast roads.

Parsing and hashing go through orjson where that is provably the same as the exact code in `shared.core`, and
through the exact code elsewhere. Why the quick tests suffice stands beside each of them; a Hypothesis test
(tests/unit/test_wire.py) compares both roads on arbitrary JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Final

import orjson

from shared.core.documents import Body, ContentHash, Device, DocumentId, Epoch, HistoryEntry, JsonText
from shared.core.documents import Sequence as SequenceNumber
from shared.core.index.reconciliation import Fingerprint, Prefix, is_fingerprint, is_prefix
from shared.core.json import canonical as exact
from shared.core.json import strict
from shared.core.json.canonical import JsonValue
from shared.core.json.pointers import escape
from shared.core.json.strict import Fault, FaultError
from shared.core.merge.conflict_rows import redacted
from shared.core.merge.policies import Policies
from shared.core.protocol import Limits
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Given
from shared.core.resolution.states import is_tombstone
from shared.core.version_vectors import Version
from shared.ports import Announcement
from shared.wire_versions import ancestors_of, stored_version, version_of

# In orjson's compact output a number follows ':' '[' or ','. It differs from RFC 8785 only where it prints
# '.0' or an exponent, for -0.0, and for integers that a double cannot hold (16 digits or more). A match may
# also lie inside a string: then the exact road is taken for nothing, which is slow and right.
_NUMBER_DIFFERS: Final = re.compile(rb"[:\[,]-?(?:\d+\.0[,\]}]|[\d.]+e|0\.0|\d{16})|[:\[,]-0[,\]}]")
# orjson sorts keys by code point, RFC 8785 by UTF-16 unit: that differs only between astral characters
# (UTF-8 lead bytes F0-F4, UTF-16 units D800-DFFF) and U+E000-U+FFFF (lead bytes EE, EF).
_ASTRAL: Final = re.compile(rb"[\xf0-\xf4]")
_ABOVE_SURROGATES: Final = re.compile(rb"[\xee\xef]")

# What orjson would mend silently: integers out of range (sixteen digits or more in a row, before a point or
# without one; it raises for overflow to infinity by itself). A number stands behind one of these; hashes and revs, in
# which there are as many digits now and then, stand behind a quotation mark.
_LONG_NUMBER: Final = re.compile(rb"(?:\A|[:\[,\s])-?\d{16}")
_MOST_BASE_CHARACTERS: Final = 200
_MEMBERS: Final = frozenset({"client_state", "base", "base_state", "version", "ancestors"})
_ESCAPED_COLON: Final = re.compile(rb"\\u003[aA]")


def dumps(value: Any) -> bytes:
    """Compact JSON; keys in the order they have. A JsonText stands for what it says."""
    return orjson.dumps(value, default=_fragment)


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, JsonText):
        return orjson.Fragment(bytes(value))
    raise TypeError


def loads(data: bytes) -> Any:
    """JSON that this project wrote itself (queue, cache). For what clients send there is `parse`, for what a server
    answers `loads_answer`."""
    return orjson.loads(data)


def loads_answer(data: bytes) -> Any:
    """JSON of a server, which may be another program: an integer beyond +-(2^53 - 1) becomes the double that it is.
    Raises ValueError."""
    value = orjson.loads(data)
    if not _LONG_NUMBER.search(data):
        return value
    return json.loads(data, parse_int=_number)


def _number(text: str) -> float:
    return value if abs(value := int(text)) <= exact.MAX_SAFE_INTEGER else float(text)


def canonical(value: JsonValue) -> bytes:
    """RFC 8785 bytes, as `shared.core.json.canonical.canonical`, about six times faster for most documents."""
    if not isinstance(value, dict | list):
        return exact.canonical(value)
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nesting or integers that orjson does not take
        return exact.canonical(value)
    return data if _is_canonical(data) else exact.canonical(value)


def content_hash(value: JsonValue) -> ContentHash:
    """First 32 hex digits of SHA-256 over the canonical form."""
    return exact.hash_of_canonical(canonical(value))


def parse(raw: bytes, *, max_depth: int) -> JsonValue:
    """The value of a client's text, by the I-JSON profile; raises FaultError, see `shared.core.json.strict`."""
    try:
        value = orjson.loads(raw)
        again = orjson.dumps(value)
    except (orjson.JSONDecodeError, TypeError):
        return strict.parse(raw, max_depth=max_depth)  # raises, with the place
    if _clearly_in_profile(value, raw, again, max_depth):
        return value
    return strict.parse(raw, max_depth=max_depth)


def is_plain(raw: bytes) -> bool:
    """Whether it is certain that `parse` does not need the exact code for `raw`, but for its depth."""
    try:
        return nothing_mended(raw, orjson.dumps(orjson.loads(raw)))
    except (orjson.JSONDecodeError, TypeError):
        return False


def _is_canonical(data: bytes) -> bool:
    if _NUMBER_DIFFERS.search(data):
        return False
    return data.isascii() or not (_ASTRAL.search(data) and _ABOVE_SURROGATES.search(data))


def _clearly_in_profile(value: JsonValue, raw: bytes, again: bytes, max_depth: int) -> bool:
    return nothing_mended(raw, again) and not _deeper(value, again, max_depth)


def _deeper(value: JsonValue, text: bytes, most: int) -> bool:
    """Whether objects and arrays lie deeper inside each other in `value`, which `text` says. The text is asked first:
    most documents have few brackets. Else all of one depth are looked at together."""
    if text.count(b"{") + text.count(b"[") <= most:
        return False
    level = [value]
    for _ in range(most + 1):
        lists = [item for item in level if type(item) is list]
        objects = [item.values() for item in level if type(item) is dict]
        if not lists and not objects:
            return False
        level = [
            item
            for item in chain(chain.from_iterable(lists), chain.from_iterable(objects))
            if type(item) in _CONTAINERS
        ]
    return True


_CONTAINERS: Final = frozenset({list, dict})


def nothing_mended(raw: bytes, again: bytes) -> bool:
    """Whether it is certain that orjson read `raw`, and wrote `again` for it, without mending what is outside the
    profile. Depth is another question."""
    # Every key brings one colon outside strings. `again` holds what orjson kept, its strings literal; so if
    # no colon hides behind an escape in `raw`, the counts are equal exactly when nothing was dropped, that
    # is, when no key came twice.
    return (
        raw.count(b":") == again.count(b":")
        and not _LONG_NUMBER.search(raw)
        and b"\\u0000" not in raw
        and not _ESCAPED_COLON.search(raw)
    )


def check_depth(value: JsonValue, most: int, pointer: str) -> None:
    """Raises FaultError if objects and arrays lie deeper inside each other in `value`, which is in the profile
    otherwise."""
    if _deeper(value, orjson.dumps(value), most):
        strict.check(value, max_depth=most, root=pointer)


@dataclass(frozen=True, slots=True)
class ClientState:
    """What a client thinks a document is, checked, with its content hash. `body` None: it has none."""

    body: Body | None
    hash: ContentHash | None


@dataclass(frozen=True, slots=True)
class PostTask:
    """The body of `POST /task/{id}`, checked. The states may be text: `as_text`."""

    state: Body | JsonText | None
    hash: ContentHash | None
    """Of the state."""
    deleted: bool
    """The state is a tombstone."""
    base: str | None
    base_state: Body | JsonText | Given | None
    version: Version | None = None
    ancestors: JsonText | None = None
    """`[[version, state | null, hash | null], ...]`; None: not sent."""

    @property
    def additions(self) -> bool:
        """Whether it used anything beyond v1.0."""
        used = self.base is not None or self.base_state is not Given.NOTHING or self.deleted
        return used or self.version is not None


def parse_post_task(raw: bytes, document: DocumentId, limits: Limits) -> PostTask:
    """`{"client_state": null | {...}, "base"?: "<rev>", "base_state"?: null | {...}, "version"?: {source: number},
    "ancestors"?: [{"version", "state"}, ...]}`.

    Raises FaultError. A member that is not known is refused, not ignored: a client that sends one relies
    on it.
    """
    if marks_in(raw) > 2 * limits.max_document_bytes + _MOST_MARKS_BESIDE:
        # Each of them is a byte of a canonical form, and there are two at most. So it is known before it is parsed,
        # which would take ten times the memory.
        detail = f"A document's canonical form may have {limits.max_document_bytes} bytes."
        raise FaultError(Fault("too large", detail, "/client_state"))
    request = parse(raw, max_depth=limits.max_depth + 1)  # the envelope adds one level
    return post_task_of(request, document, limits)


def as_text(posted: PostTask) -> PostTask:
    """The same with its states as text."""
    state, base_state = posted.state, posted.base_state
    if isinstance(state, dict):
        state = JsonText(orjson.dumps(state))
    if isinstance(base_state, dict):
        base_state = JsonText(orjson.dumps(base_state))
    return replace(posted, state=state, base_state=base_state)


def marks_in(raw: bytes) -> int:
    """How many characters there are that can begin a value; there are no more values in the text than one more."""
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{") + raw.count(b":")


_MOST_MARKS_BESIDE: Final = 1024
"""In what is no state: the envelope, and a base."""


def post_task_of(request: JsonValue, document: DocumentId, limits: Limits, pointer: str = "") -> PostTask:
    """The same of a value inside the profile that stands at `pointer`."""
    if not isinstance(request, dict) or "client_state" not in request:
        raise FaultError(Fault("malformed request", 'The body must be {"client_state": null | {...}}.', pointer))
    for member in request:
        if member not in _MEMBERS:
            raise FaultError(Fault("malformed request", f"The member {member!r} is not known.", pointer))
    base = request.get("base")
    if base is not None and not (isinstance(base, str) and 0 < len(base) <= _MOST_BASE_CHARACTERS):
        raise FaultError(Fault("malformed request", '"base" is the "rev" of an answer, or "0".', pointer + "/base"))
    base_state: Body | Given | None = Given.NOTHING
    if "base_state" in request:
        base_state = _state_or_none(request["base_state"], document, pointer + "/base_state", limits).body
    state = _state_or_none(request["client_state"], document, pointer + "/client_state", limits)
    deleted = state.body is not None and is_tombstone(state.body)
    version = version_of(request["version"], pointer + "/version") if "version" in request else None
    ancestors = None
    if "ancestors" in request:
        check = partial(_state_or_none, document=document, limits=limits)
        ancestors = JsonText(orjson.dumps(ancestors_of(request, check, pointer + "/ancestors")))
    return PostTask(state.body, state.hash, deleted, base, base_state, version, ancestors)


def parse_ranges(raw: bytes, most: int) -> dict[Prefix, Fingerprint]:
    """`{"ranges": {prefix: fingerprint}}`. Raises FaultError."""
    return ranges_of(parse(raw, max_depth=2), most)


def ranges_of(request: JsonValue, most: int) -> dict[Prefix, Fingerprint]:
    """The same of a value inside the profile."""
    ranges = request.get("ranges") if isinstance(request, dict) and len(request) == 1 else None
    if not isinstance(ranges, dict):
        raise FaultError(Fault("malformed request", 'The body must be {"ranges": {"<prefix>": "<fingerprint>"}}.'))
    if len(ranges) > most:
        raise FaultError(Fault("too large", f"One request may ask about {most} ranges.", "/ranges"))
    found: dict[Prefix, Fingerprint] = {}
    for prefix, fingerprint in ranges.items():
        if not is_prefix(prefix) or not isinstance(fingerprint, str) or not is_fingerprint(fingerprint):
            detail = "A range is 0 to 16 hex digits, its fingerprint 32, in lower case."
            raise FaultError(Fault("malformed request", detail, f"/ranges/{escape(prefix)}"))
        found[prefix] = fingerprint
    return found


def _state_or_none(state: JsonValue, document: DocumentId, pointer: str, limits: Limits) -> ClientState:
    if state is None:
        return ClientState(None, None)
    return checked_state(state, document, pointer, limits)


def checked_state(state: JsonValue, document: DocumentId, pointer: str, limits: Limits) -> ClientState:
    """`state` as a state of `document`. Raises FaultError: no object, id missing or another, too large."""
    if not isinstance(state, dict):
        raise FaultError(Fault("not an object", "A document is a JSON object.", pointer))
    identity = state.get("id")
    if identity != document:
        reason = "id mismatch" if isinstance(identity, str) else "id missing"
        detail = f'A document has a string "id" equal to its address: "{document}".'
        raise FaultError(Fault(reason, detail, f"{pointer}/id"))
    data = canonical(state)
    if len(data) > limits.max_document_bytes:
        detail = f"The canonical form has {len(data)} bytes; {limits.max_document_bytes} are allowed."
        raise FaultError(Fault("too large", detail, pointer))
    return ClientState(state, exact.hash_of_canonical(data))


_MOST_BODY_BYTES: Final = 2048
_MOST_BODIES_BYTES: Final = 32 * 1024


def dump_announcement(announcement: Announcement) -> bytes:
    """`[first, last, history, [[id, hash, rev, version | null, body?], ...] | null]`, with small bodies only."""
    rows: list[list[Any]] | None = None
    if announcement.changes is not None:
        rows = []
        room = _MOST_BODIES_BYTES
        for change in announcement.changes:
            row: list[Any] = [change.document, change.hash, change.rev, change.version]
            if room > 0 and change.body is not None:
                data = orjson.dumps(change.body)
                room -= len(data)
                if len(data) <= _MOST_BODY_BYTES:
                    row.append(orjson.Fragment(data))
            rows.append(row)
    return orjson.dumps([announcement.first, announcement.last, announcement.history, rows])


def load_announcement(data: bytes) -> tuple[SequenceNumber, SequenceNumber, Epoch, list[list[Any]] | None]:
    """First, last, history, rows. Raises ValueError for anything else."""
    first, last, history, rows = orjson.loads(data)
    return first, last, history, rows


def changed_event(cursor: str, rows: Iterable[Sequence[Any]]) -> bytes:
    """A server-sent event with the changes `[id, hash | None, rev?, version | None, body?]`; documents of which rev
    and content are known stand under `tasks` as `GET /tasks` shows them."""
    hashes: dict[str, ContentHash | None] = {}
    tasks: dict[str, Any] = {}
    for row in rows:
        hashes[row[0]] = row[1]
        match row:
            case [document, None, rev, version]:
                tasks[document] = {"server_state": None, "rev": rev, "hash": None} | stored_version(version)
            case [document, hash_, rev, version, body]:
                tasks[document] = {"server_state": body, "rev": rev, "hash": hash_} | stored_version(version)
    data: dict[str, Any] = {"cursor": cursor, "hashes": hashes}
    if tasks:
        data["tasks"] = tasks
    return b"event: changed\nid: %s\ndata: %s\n\n" % (cursor.encode(), orjson.dumps(data))


def ready_event(cursor: str) -> bytes:
    """The first event of a stream: it is open, and goes on from here."""
    return b"event: ready\nid: %s\ndata: %s\n\n" % (cursor.encode(), orjson.dumps({"cursor": cursor}))


def gone_event(code: str) -> bytes:
    """The last event of a stream that cannot go on."""
    return b"event: gone\ndata: %s\n\n" % orjson.dumps({"code": code})


def answer_body(answer: Answer, sent: Body | JsonText | None, *, additions: bool) -> bytes:
    """The body of the answer to a state: `server_state` alone unless the request used the additions."""
    server_state = sent if answer.same else answer.body
    if not additions:
        return dumps({"server_state": server_state})
    return dumps(
        {
            "server_state": server_state,
            "rev": answer.rev,
            "hash": answer.hash,
            "outcome": answer.outcome,
            "rule": answer.rule,
            "conflicts": answer.conflicts,
            **stored_version(answer.version),
        }
    )


def history_row(entry: HistoryEntry, policies: Policies) -> dict[str, Any]:
    """A revision as `GET /task/{id}/revisions` lists it, without its body and what the policies call secret."""
    return {
        "rev": entry.rev,
        "hash": entry.hash,
        "deleted": entry.deleted,
        "received": entry.received,
        "has_body": entry.body is not None,
        "device": entry.by,
        "at": entry.at,
        "outcome": entry.outcome,
        "rule": entry.rule,
        "parents": entry.parents,
        "conflicts": [redacted(conflict, policies) for conflict in entry.conflicts],
        **stored_version(entry.version),
    }


def policies_row(policies: Policies) -> dict[str, Any]:
    """As `GET /policies` shows them, and `PUT /policies` takes them."""
    return {pattern: list(s) if len(s) > 1 else s[0] for pattern, s in policies.declared.items()}


def device_row(device: Device, *, current: bool = False) -> dict[str, Any]:
    """A device as `GET /devices` shows it; times are seconds since 1970."""
    return {
        "device": device.id,
        "user": device.user,
        "name": device.name,
        "space": device.space,
        "created_at": device.created_at,
        "last_seen": device.last_seen,
        "current": current,
    }
