"""The nouns: documents, revisions, devices, and the types that the checker keeps apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NewType

from shared.core.version_vectors import Version

SpaceId = NewType("SpaceId", str)
DocumentId = NewType("DocumentId", str)
DeviceId = NewType("DeviceId", str)
UserName = NewType("UserName", str)
UserId = NewType("UserId", str)
ContentHash = NewType("ContentHash", str)
Sequence = NewType("Sequence", int)
Epoch = NewType("Epoch", str)
"""Names a history of a space (shared/core/index/lineage.py): a stretch of its sequences that was given out by one
store."""

Body = dict[str, Any]
"""The JSON object of a live document. Never mutated once it is inside one of these types."""


class JsonText(bytes):
    """A Body as JSON text, UTF-8: for a process that passes it on and looks at nothing in it. As a value it would
    take ten times the memory or more."""


HashMap = dict[DocumentId, ContentHash]

_DOCUMENT_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{1,128}\Z")
DOCUMENT_ID_RULE: Final = 'it has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, and is not "." or ".."'
_SPACE_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


def is_document_id(text: str) -> bool:
    """1 to 128 characters of A-Z a-z 0-9 . _ ~ -, but not "." or "..": those are no segments of an address
    (RFC 3986, section 5.2.4), so no client could ask for them."""
    return _DOCUMENT_ID.match(text) is not None


def is_space_id(text: str) -> bool:
    """1 to 63 characters of a-z 0-9 -, not a hyphen first. No separator of a store key can occur in it."""
    return _SPACE_ID.match(text) is not None


@dataclass(frozen=True, slots=True)
class Synced:
    """How far a device has followed a space."""

    at: float
    """Seconds since 1970, kept to about a minute."""
    sequence: Sequence


@dataclass(frozen=True, slots=True)
class Device:
    """One replica of a space, with a token of its own. Only the token's hash is stored."""

    id: DeviceId
    user: UserName
    """What its user was called when it was made."""
    name: str
    space: SpaceId
    """The space that the token opens where a request names none."""
    created_at: float
    last_seen: float | None = None
    """Seconds since 1970, kept to about a minute."""
    shared: bool = False
    """The token is used by several devices, or turned out to be: what it sent and got says nothing."""
    owner: UserId | None = None
    """Whose it is. None: it was added by an earlier release, and its user is not known by id yet."""
    every_space: bool = False
    """Its requests may name any space of its user. Otherwise the token opens `space` alone."""
    expires_at: float | None = None
    """When the token stops opening anything, in seconds since 1970; None: never."""
    client: str = ""
    """What its program calls itself."""
    synced: Mapping[SpaceId, Synced] = field(default_factory=dict, hash=False)

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A revision or a received state of a document as people are told of it."""

    rev: str | None
    """None: a received state, which never was the head."""
    sequence: Sequence
    hash: ContentHash
    """Of the body; of the body that it buried for a tombstone."""
    body: Body | None
    """None: a tombstone, or pruned."""
    deleted: bool
    received: bool
    by: DeviceId
    at: float
    outcome: str
    rule: str
    parents: tuple[str, ...]
    conflicts: tuple[dict[str, Any], ...]
    version: Version | None = None
    """What it contains (shared/core/version_vectors.py), where that is more or less than its rev implies."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An entry of the history of some document, as an export lists it."""

    document: DocumentId
    is_head: bool
    entry: HistoryEntry


@dataclass(frozen=True, slots=True)
class Position:
    """Where a space stands. Equal positions mean equal content. `epoch`: the history that the sequence is of."""

    epoch: Epoch
    sequence: Sequence
