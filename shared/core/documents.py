"""The nouns: documents, revisions, devices, and the types that the checker keeps apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.core.identifiers import (
    DOCUMENT_ID_RULE,
    Body,
    ContentHash,
    DeviceId,
    DocumentId,
    Epoch,
    HashMap,
    JsonText,
    SequenceNumber,
    SpaceId,
    UserId,
    UserName,
    is_document_id,
    is_space_id,
)
from shared.core.version_vectors import Version

__all__ = [
    "DOCUMENT_ID_RULE",
    "Body",
    "ContentHash",
    "Device",
    "DeviceId",
    "DocumentId",
    "Epoch",
    "Exported",
    "HashMap",
    "HistoryEntry",
    "JsonText",
    "Position",
    "SequenceNumber",
    "SpaceId",
    "Synced",
    "UserId",
    "UserName",
    "is_document_id",
    "is_space_id",
]


@dataclass(frozen=True, slots=True)
class Synced:
    """How far a device has followed a space."""

    at: float
    """Seconds since 1970, kept to about a minute."""
    sequence: SequenceNumber


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

    @property
    def share(self) -> SpaceId:
        """Whose share of the memory and time of a process its requests take: its space's. One that opens every space
        of its user takes the user's, or it would have as many shares as there are spaces of theirs."""
        return share_of(self.owner) if self.every_space and self.owner is not None else self.space

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def share_of(key: str) -> SpaceId:
    """What stands for a user, or an address, among spaces where shares are counted. No space can be called so."""
    return SpaceId(f"@{key}")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A revision or a received state of a document as people are told of it."""

    rev: str | None
    """None: a received state, which never was the head."""
    sequence: SequenceNumber
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
    sequence: SequenceNumber
