"""`POST /task/{id}`: a client state as it is sent."""

from __future__ import annotations

from functools import partial
from typing import Final

import orjson

from api.representations.versions import ancestors_of, version_of
from shared import codec
from shared.codec import ClientState, checked_state
from shared.core.documents import Body, ContentHash, DocumentId, JsonText
from shared.core.frozen import frozen
from shared.core.json.canonical import JsonValue
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits
from shared.core.resolution.context import Given
from shared.core.resolution.states import is_tombstone
from shared.core.version_vectors import Version

_MAX_BASE_CHARACTERS: Final = 200
_MEMBERS: Final = frozenset({"client_state", "base", "base_state", "version", "ancestors"})


@frozen
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


def parse_post_task(raw: bytes, document: DocumentId, limits: Limits, plain: codec.Plain | None = None) -> PostTask:
    """`{"client_state": null | {...}, "base"?: "<rev>", "base_state"?: null | {...}, "version"?: {source: number},
    "ancestors"?: [{"version", "state"}, ...]}`.

    Raises FaultError. A member that is not known is refused, not ignored: a client that sends one relies
    on it.
    """
    if codec.marks_in(raw) > 2 * limits.max_document_bytes + _MAX_MARKS_BESIDE:
        # Each of them is a byte of a canonical form, and there are two at most. So it is known before it is parsed,
        # which would take ten times the memory.
        detail = f"A document's canonical form may have {limits.max_document_bytes} bytes."
        raise FaultError(Fault("too large", detail, "/client_state"))
    request = codec.parse(raw, max_depth=limits.max_depth + 1, plain=plain)  # the envelope adds one level
    return post_task_of(request, document, limits)


def as_text(posted: PostTask) -> PostTask:
    """The same with its states as text."""
    state, base_state = posted.state, posted.base_state
    if isinstance(state, dict):
        state = JsonText(orjson.dumps(state))
    if isinstance(base_state, dict):
        base_state = JsonText(orjson.dumps(base_state))
    # As `replace` would, in a third of the time.
    return PostTask(state, posted.hash, posted.deleted, posted.base, base_state, posted.version, posted.ancestors)


_MAX_MARKS_BESIDE: Final = 1024
"""In what is no state: the envelope, and a base."""


def post_task_of(request: JsonValue, document: DocumentId, limits: Limits, pointer: str = "") -> PostTask:
    """The same of a value inside the profile that stands at `pointer`."""
    if not isinstance(request, dict) or "client_state" not in request:
        raise FaultError(Fault("malformed request", 'The body must be {"client_state": null | {...}}.', pointer))
    if not request.keys() <= _MEMBERS:
        member = next(member for member in request if member not in _MEMBERS)
        raise FaultError(Fault("malformed request", f"The member {member!r} is not known.", pointer))
    base = request.get("base")
    if base is not None and not (isinstance(base, str) and 0 < len(base) <= _MAX_BASE_CHARACTERS):
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


def _state_or_none(state: JsonValue, document: DocumentId, pointer: str, limits: Limits) -> ClientState:
    if state is None:
        return ClientState(None, None)
    return checked_state(state, document, pointer, limits)
