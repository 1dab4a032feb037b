"""The wire protocol's constants. The protocol has a version number of its own."""

from __future__ import annotations

from typing import Final, NamedTuple

PROTOCOL_VERSIONS: Final = ("1.0",)
SPACE_HEADER: Final = "hypertask-space"
CONFIRM_HEADER: Final = "hypertask-confirm"
CONFIRM_DELETIONS: Final = "deletions"
"""Value of CONFIRM_HEADER with which a device's many deletions are meant."""
CREATED: Final = "0"
"""As a base: I created this document. As an answer: there never was one."""
READ_ONLY: Final = "read-only"
SPACE_ARCHIVED: Final = "space-archived"
WRITES_REFUSED: Final = frozenset({READ_ONLY, SPACE_ARCHIVED})
"""Codes of errors that refuse a write to one who may read: for as long as their role, or the space, is what it is."""
QUOTA_EXCEEDED: Final = "quota-exceeded"
REFUSED_FOR_NOW: Final = WRITES_REFUSED | {QUOTA_EXCEEDED}
"""Codes of errors that say nothing against the document: the same may be taken later."""
TOO_LARGE: Final = "too-large"
"""Of a document that is larger than it may be."""
AUTH_SCHEMES: Final = ("bearer", "hypertask")


class Limits(NamedTuple):
    """What a server takes; it says so at `GET /`."""

    max_document_bytes: int = 1024 * 1024
    """Of the canonical form."""
    max_depth: int = 64
    """Objects and arrays inside each other, the document itself counted."""

    max_batch_documents: int = 1000
    """Of one `POST /tasks`, and of one page of `GET /tasks`."""
    max_batch_bytes: int = 16 * 1024 * 1024
    """Of the body of one `POST /tasks`, after decompression."""

    @property
    def max_request_bytes(self) -> int:
        """Of a body that carries a state and the state of its base. Escapes take more bytes than what they
        stand for (three times, for text as Python's json writes it) and white space is free."""
        return 2 * 4 * self.max_document_bytes + 1024

    @property
    def readable(self) -> Limits:
        """What is read of files. Two edits that were merged on a device, or somebody's editor, can make a document
        larger than it may be; whoever makes it smaller must be able to read it."""
        return self._replace(max_document_bytes=self.max_request_bytes)
