"""The types that the checker keeps apart: ids, hashes, sequences. Alone here, because a short command of the client
needs no more of the nouns."""

from __future__ import annotations

import re
from typing import Any, Final, NewType

SpaceId = NewType("SpaceId", str)
DocumentId = NewType("DocumentId", str)
DeviceId = NewType("DeviceId", str)
UserName = NewType("UserName", str)
UserId = NewType("UserId", str)
ContentHash = NewType("ContentHash", str)
SequenceNumber = NewType("SequenceNumber", int)
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
