"""Finding out where two sets of documents differ, by fingerprints of ranges, without either side sending all.

Documents are ordered by their key, as in `shared.core.index.hash_map`. A *range* is all documents whose key begins
with given digits, the *prefix*; "" is everything. So a range divides into sixteen, and ids that look alike are spread
evenly. A range's fingerprint says how many documents there are and what they contain:

    element      SHA-256 of `<id>:<content hash>`, as a number
    sum          of the elements of the range, modulo 2**256
    fingerprint  the first 32 hex digits of SHA-256 of the sum, 32 bytes, and the count, 8 bytes, big-endian

Sums of disjoint ranges add up, so a fingerprint of any range comes from sums that are kept for its parts. (The form
of fingerprint is that of Negentropy, by Doug Hoyte; after "Range-Based Set Reconciliation" by Aljoscha Meyer.)

Laws (tests/unit/core/index/test_reconciliation.py):
    equal sets, and as good as certainly only they, have equal fingerprints
    the sum of a range is the sum of those of its parts
    who asks about what the answers name, until they name nothing, knows exactly where the sets differ
    in rounds that grow with the logarithm of the size, and answers that grow with the difference
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

from shared.core.documents import ContentHash, DocumentId, HashMap
from shared.core.index.hash_map import BucketedMap, key_of, members_of

Prefix = str
Fingerprint = str

LIST_AT_MOST: Final = 16
"""A range with so many documents is listed, a larger one is divided."""
MAX_PREFIX: Final = 16
_DIGITS: Final = "0123456789abcdef"
_PREFIX: Final = re.compile(r"[0-9a-f]{0,16}\Z")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}\Z")
_MODULUS: Final = 2**256


def is_prefix(text: str) -> bool:
    """Whether it names a range."""
    return _PREFIX.match(text) is not None


def is_fingerprint(text: object) -> bool:
    """Whether it has the form of one."""
    return isinstance(text, str) and _FINGERPRINT.match(text) is not None


@dataclass(frozen=True, slots=True)
class Sum:
    """Of some documents."""

    count: int = 0
    total: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, (self.total + other.total) % _MODULUS)

    @property
    def fingerprint(self) -> Fingerprint:
        """32 hex digits."""
        data = self.total.to_bytes(32, "big") + self.count.to_bytes(8, "big")
        return hashlib.sha256(data).hexdigest()[:32]


NOTHING: Final = Sum()


def sum_of(hashes: Mapping[DocumentId, ContentHash]) -> Sum:
    """Of the documents of a hash map."""
    total = 0
    for document, content in hashes.items():
        total += int.from_bytes(hashlib.sha256(f"{document}:{content}".encode("ascii")).digest(), "big")
    return Sum(len(hashes), total % _MODULUS)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be said of ranges that differ. A range that is in none of the two is equal."""

    divided: dict[Prefix, Fingerprint]
    """Fingerprints of the parts that hold something; the other parts of the divided range are empty."""
    listed: dict[Prefix, HashMap]
    """All documents of the range."""


class Tree:
    """A hash map by ranges. The sums of its buckets and of what they are parts of are kept; inside a bucket that
    differs its own documents are looked at, however many the map has."""

    def __init__(self, map_: BucketedMap, sums: Mapping[bytes, Sum] | None = None) -> None:
        """`sums`: those of the tree of an earlier map; what did not change since is not added up again."""
        known = sums or {}
        self._map = map_
        self._sums = {
            members: known[members] if members in known else sum_of(members_of(members))
            for members in map_.buckets.values()
        }
        self._ranges = self._added_up()

    @property
    def sums(self) -> Mapping[bytes, Sum]:
        """By the content of a bucket."""
        return self._sums

    def compare(self, asked: Mapping[Prefix, Fingerprint]) -> Comparison:
        """Compares the ranges that are asked about with those here."""
        comparison = Comparison({}, {})
        for prefix in sorted(asked):  # those of one bucket together: it is looked through once
            mine = self.sum(prefix)
            if mine.fingerprint == asked[prefix]:
                continue
            if mine.count <= LIST_AT_MOST or len(prefix) >= MAX_PREFIX:
                comparison.listed[prefix] = self.documents(prefix)
                continue
            for digit in _DIGITS:
                part = self.sum(prefix + digit)
                if part.count:
                    comparison.divided[prefix + digit] = part.fingerprint
        return comparison

    def sum(self, prefix: Prefix) -> Sum:
        """Of a range."""
        if len(prefix) > self._map.digits:
            return sum_of(self.documents(prefix))
        return self._ranges.get(prefix, NOTHING)

    def documents(self, prefix: Prefix) -> HashMap:
        """Of a range."""
        digits = self._map.digits
        if len(prefix) <= digits:
            inside = (p for p in _longer(prefix, digits) if p in self._map.buckets)
            return {d: h for p in inside for d, h in members_of(self._map.buckets[p]).items()}
        ordered = _ordered(self._map.buckets.get(prefix[:digits], b""))
        first, last = bisect_left(ordered, (prefix,)), bisect_left(ordered, (prefix + "g",))  # after every digit
        return {document: content for _, document, content in ordered[first:last]}

    def _added_up(self) -> dict[Prefix, Sum]:
        """The sums of all ranges that are made of whole buckets."""
        level = {prefix: self._sums[members] for prefix, members in self._map.buckets.items()}
        sums = dict(level)
        for digits in reversed(range(self._map.digits)):
            parts: dict[Prefix, list[Sum]] = {}
            for prefix, part in level.items():
                parts.setdefault(prefix[:digits], []).append(part)
            level = {
                prefix: Sum(sum(p.count for p in those), sum(p.total for p in those) % _MODULUS)
                for prefix, those in parts.items()
            }
            sums |= level
        return sums


@lru_cache(maxsize=8)
def _ordered(members: bytes) -> list[tuple[str, DocumentId, ContentHash]]:
    """A bucket's documents with their keys, in their order."""
    return [(key_of(document), document, content) for document, content in members_of(members).items()]


def _longer(prefix: Prefix, digits: int) -> Iterator[Prefix]:
    """All prefixes of so many digits that begin with it."""
    return ("".join((prefix, *rest)) for rest in product(_DIGITS, repeat=digits - len(prefix)))
