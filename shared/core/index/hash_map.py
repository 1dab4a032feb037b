"""The map id -> content hash of a space, kept as JSON text in buckets.

A write touches one bucket; the whole answer to `GET /hashes` is the buckets joined. Nothing is parsed that
did not change.

Documents are in the order of their *keys*: SHA-256 of the id, in hex digits. A bucket is all documents whose key
begins with the same few digits, its *prefix*. A large map has longer prefixes, so that a bucket stays small; the text
of the map is the same however it is divided.

Laws (tests/unit/core/index/test_hash_map.py):
    parse(of(p, h).text()) == h
    a Gathering that the documents of h were added to, in any order and portions, makes of(p, h)
    of(p, h).patched(q, changes) says what of(q, h with the changes made) says, in the same bytes
    it differs from the map before in the touched buckets alone
    divided() says what it said
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.core.documents import ContentHash, DocumentId, HashMap, Position

MIN_DIGITS: Final = 2
MAX_DIGITS: Final = 4
ROOM: Final = 256
"""Documents of a bucket, on average, for which a new map is divided; with four times as many it is divided again."""
CROWDED: Final = 4 * ROOM
_KEY_BYTES: Final = 32
_PREFIX_BYTES: Final = MAX_DIGITS // 2


def key_of(document: DocumentId) -> str:
    """64 hex digits."""
    return hashlib.sha256(document.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class BucketedMap:
    """`of` makes it, or `patched` of another one."""

    position: Position
    digits: int
    """Of a prefix."""
    buckets: Mapping[str, bytes]
    """By prefix: the members of a JSON object, in the order of their keys, without the braces; no empty ones."""
    digests: Mapping[str, str]
    """By prefix: of the bucket. Those of a patched map are made for the touched buckets alone."""

    @classmethod
    def of(cls, position: Position, hashes: HashMap) -> BucketedMap:
        gathering = Gathering()
        gathering.add(_as_bytes(hashes.items()))
        return gathering.map(position)

    @classmethod
    def made(cls, position: Position, digits: int, buckets: Mapping[str, bytes]) -> BucketedMap:
        """Of buckets that were made before."""
        return cls(position, digits, buckets, {prefix: digest_of(members) for prefix, members in buckets.items()})

    @property
    def text_bytes(self) -> int:
        """Of all buckets: about as long as its text."""
        return sum(map(len, self.buckets.values()))

    def patched(
        self, position: Position, changes: Mapping[DocumentId, ContentHash | None]
    ) -> tuple[BucketedMap, frozenset[str]]:
        """The map with `changes` made (None: the document is gone), and the buckets that they touched."""
        grouped: dict[str, dict[DocumentId, ContentHash | None]] = {}
        for document, hash_ in changes.items():
            grouped.setdefault(key_of(document)[: self.digits], {})[document] = hash_
        buckets, digests = dict(self.buckets), dict(self.digests)
        crowded = False
        for prefix, part in grouped.items():
            members, count = _patched(buckets.get(prefix, b""), part)
            crowded = crowded or count > CROWDED
            if members:
                buckets[prefix] = members
                digests[prefix] = digest_of(members)
            else:
                buckets.pop(prefix, None)
                digests.pop(prefix, None)
        patched_map = BucketedMap(position, self.digits, buckets, digests)
        if crowded and self.digits < MAX_DIGITS:
            divided = patched_map.divided()
            return divided, frozenset(self.buckets) | frozenset(divided.buckets)
        return patched_map, frozenset(grouped)

    def divided(self) -> BucketedMap:
        """The same with prefixes of one digit more: rare, and as much work as making the map."""
        gathering = Gathering()
        gathering.add(_as_bytes(self.items()))
        return gathering.map(self.position, self.digits + 1)

    def items(self) -> Iterator[tuple[DocumentId, ContentHash]]:
        """All documents, bucket by bucket."""
        for members in self.buckets.values():
            yield from members_of(members).items()

    def text(self) -> bytes:
        """The JSON object."""
        return b"".join(self.parts())

    def parts(self) -> list[bytes]:
        """Its text, bucket by bucket."""
        texts = [b"{"]
        for prefix in sorted(self.buckets):
            texts += (self.buckets[prefix], b",")
        return [*texts[:-1], b"}"] if self.buckets else [b"{}"]


class Gathering:
    """The documents of a map that is to be made. There may be millions: little is done for each of them."""

    def __init__(self) -> None:
        # By the first byte of their keys. The key goes before the member, in the same bytes: that is what they are
        # sorted by, and takes least memory. With more lists, of a few documents each, adding takes twice as long:
        # hardly any list is in the processor's cache when its turn comes.
        self._entries: list[list[bytes]] = [[] for _ in range(256)]

    def add(self, documents: Iterable[tuple[bytes, bytes]]) -> None:
        """Ids and their hashes, none of which was added before."""
        entries, key, member = self._entries, hashlib.sha256, b'":"'.join
        for document in documents:
            digest = key(document[0]).digest()
            entries[digest[0]].append(digest + member(document))

    def map(self, position: Position, digits: int | None = None) -> BucketedMap:
        """Nothing is gathered any more then. `digits`: of its prefixes, if they are not those of a new map."""
        if digits is None:
            count, digits = sum(map(len, self._entries)), MIN_DIGITS
            while digits < MAX_DIGITS and count > ROOM * 16**digits:
                digits += 1
        buckets: dict[str, bytes] = {}
        self._entries.reverse()
        while self._entries:
            entries = self._entries.pop()
            entries.sort()
            for prefix, part in _divided(entries, digits):
                buckets[prefix] = b'"%b"' % b'","'.join([entry[_KEY_BYTES:] for entry in part])
        return BucketedMap.made(position, digits, buckets)


def _divided(entries: Sequence[bytes], digits: int) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Entries that are sorted, by so many digits of their keys."""
    begin = 0
    while begin < len(entries):
        prefix = entries[begin][:_PREFIX_BYTES].hex()[:digits]
        behind = bytes.fromhex(prefix.ljust(2 * _KEY_BYTES, "f")) + b"\xff"
        end = bisect_left(entries, behind, begin)
        yield prefix, entries[begin:end]
        begin = end


def members_of(members: bytes) -> HashMap:
    """The documents of a bucket."""
    hashes: HashMap = json.loads(b"{%s}" % members)
    return hashes


def digest_of(members: bytes) -> str:
    """24 hex digits."""
    return hashlib.blake2b(members, digest_size=12).hexdigest()


def _as_bytes(items: Iterable[tuple[DocumentId, ContentHash]]) -> Iterator[tuple[bytes, bytes]]:
    return ((document.encode("ascii"), hash_.encode("ascii")) for document, hash_ in items)


def _patched(members: bytes, changes: Mapping[DocumentId, ContentHash | None]) -> tuple[bytes, int]:
    """A bucket with changes made, and how many documents are in it. The keys of a few of the others are made."""
    entries = members.split(b",") if members else []
    for document, hash_ in changes.items():
        at = bisect_left(entries, key_of(document), key=_key_of_entry)
        there = at < len(entries) and _document_in(entries[at]) == document
        new = [] if hash_ is None else [_member(document, hash_)]
        entries[at : at + there] = new
    return b",".join(entries), len(entries)


def _member(document: DocumentId, hash_: ContentHash) -> bytes:
    # Neither ids nor hashes hold a character that JSON escapes, nor a comma.
    return f'"{document}":"{hash_}"'.encode("ascii")


def _document_in(entry: bytes) -> DocumentId:
    return DocumentId(entry[1 : entry.index(b'"', 1)].decode("ascii"))


def _key_of_entry(entry: bytes) -> str:
    return key_of(_document_in(entry))
