"""The map id -> content hash of a space, kept as JSON text in buckets.

A write touches one bucket; the whole answer to `GET /hashes` is the buckets joined. Nothing is parsed that
did not change.

Laws (tests/unit/core/test_hash_map.py):
    parse(of(p, h).text()) == h
    of(p, h).patched(q, changes) == of(q, h with the changes made)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.core.documents import ContentHash, DocumentId, HashMap, Position

BUCKETS: Final = 256


@dataclass(frozen=True, slots=True)
class BucketedMap:
    """`buckets`: number -> the members of a JSON object, sorted, without the braces; no empty ones."""

    position: Position
    buckets: Mapping[int, bytes]

    @classmethod
    def of(cls, position: Position, hashes: HashMap) -> BucketedMap:
        grouped: dict[int, HashMap] = {}
        for document, hash_ in hashes.items():
            grouped.setdefault(bucket_of(document), {})[document] = hash_
        return cls(position, {number: _members(content) for number, content in grouped.items()})

    def patched(
        self, position: Position, changes: Mapping[DocumentId, ContentHash | None]
    ) -> tuple[BucketedMap, frozenset[int]]:
        """The map with `changes` made (None: the document is gone), and the buckets that they touched."""
        grouped: dict[int, dict[DocumentId, ContentHash | None]] = {}
        for document, hash_ in changes.items():
            grouped.setdefault(bucket_of(document), {})[document] = hash_
        buckets = dict(self.buckets)
        for number, part in grouped.items():
            content: HashMap = json.loads(b"{%s}" % buckets.get(number, b""))
            for document, hash_ in part.items():
                if hash_ is None:
                    content.pop(document, None)
                else:
                    content[document] = hash_
            if content:
                buckets[number] = _members(content)
            else:
                buckets.pop(number, None)
        return BucketedMap(position, buckets), frozenset(grouped)

    def text(self) -> bytes:
        """The JSON object."""
        return b"{%s}" % b",".join(self.buckets[number] for number in sorted(self.buckets))


def bucket_of(document: DocumentId) -> int:
    """In which bucket a document's hash stands: the first byte of SHA-256 of its id, so that a bucket is a range of
    shared.core.reconciliation."""
    return hashlib.sha256(document.encode("ascii")).digest()[0]


def _members(content: HashMap) -> bytes:
    # Neither ids nor hashes hold a character that JSON escapes.
    return ",".join(f'"{document}":"{content[document]}"' for document in sorted(content)).encode("ascii")
