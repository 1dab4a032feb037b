"""Compressed texts that are put together of segments, so that who changes a part of the text compresses that part.

What comes out is one member of gzip, or one frame of zstd: several of them, one after another, would be the same by
the standards, but not every client reads on behind the first.

gzip (RFC 1952): a segment is blocks of deflate (RFC 1951) that refer to nothing before them and end on a whole byte.
The checksum is of the whole text; that is read a hundred times as fast as it is compressed.

zstd (RFC 8878): a segment is the blocks of a frame that was made of its text alone. Behind another segment they mean
the same, but for one thing: a frame begins with 1, 4 and 8 as the offsets that a block may repeat, and a block behind
another one finds what that left. So each segment is read once behind a block that left offsets which lead out of it.
If that does not give its text, it is stored as it is. That is hardly ever so.

Laws (tests/unit/api/test_segments.py), for every coding:
    decompressed(joined(c, texts, [segment(c, t) for t in texts])) == the texts, one after another
    a segment depends on its text alone
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from api.http.codings import GZIP, LEVEL

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_STORED_BYTES: Final = 32
"""What is not longer is stored: a block of its own would not be shorter."""

_GZIP_HEAD: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_GZIP_END: Final = b"\x03\0"
"""The last block, of nothing."""

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_WINDOW_LOG: Final = 20
_ZSTD_HEAD: Final = _ZSTD_MAGIC + bytes((0, (_WINDOW_LOG - 10) << 3))
"""No checksum, and no length of the content."""
_ZSTD_END: Final = b"\x01\0\0"
"""The last block, of nothing."""
_RAW, _RLE = 0, 1
_MAX_RAW_BYTES: Final = 128 * 1024


def segment(coding: str, text: bytes) -> bytes:
    """The segment that says `text`."""
    return _deflated(text) if coding == GZIP else _blocks(text)


def joined(coding: str, texts: Sequence[bytes], segments: Sequence[bytes]) -> list[bytes]:
    """All texts, compressed; in pieces, to be sent one after another. `segments`: of the texts."""
    if coding != GZIP:
        return [_ZSTD_HEAD, *segments, _ZSTD_END]
    checksum = size = 0
    for text in texts:
        checksum = zlib.crc32(text, checksum)
        size += len(text)
    end = _GZIP_END + checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return [_GZIP_HEAD, *segments, end]


def _deflated(text: bytes) -> bytes:
    if len(text) <= _STORED_BYTES:
        length = len(text).to_bytes(2, "little")
        return b"\0" + length + bytes(byte ^ 0xFF for byte in length) + text
    # Nothing is looked for but how often each byte occurs: of random digits nothing comes again, and it is faster.
    compressor = zlib.compressobj(LEVEL[GZIP], zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)


def _blocks(text: bytes) -> bytes:
    if len(text) > _STORED_BYTES:
        blocks = _of_frame(text)
        if blocks is not None and _is_independent(blocks, text):
            return blocks
    return b"".join(
        _header(_RAW, len(text[begin : begin + _MAX_RAW_BYTES])) + text[begin : begin + _MAX_RAW_BYTES]
        for begin in range(0, len(text), _MAX_RAW_BYTES)
    )


def _header(kind: int, size: int) -> bytes:
    return (size << 3 | kind << 1).to_bytes(3, "little")


def _of_frame(text: bytes) -> bytes | None:
    """The blocks of a frame, none of which says that it is the last; None if the frame is not as it should be."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: LEVEL["zstd"],
        zstd.CompressionParameter.content_size_flag: 0,
        zstd.CompressionParameter.checksum_flag: 0,
    }
    frame: bytes = zstd.compress(text, options=options)
    if frame[:5] != _ZSTD_HEAD[:5] or frame[5] > _ZSTD_HEAD[5]:
        return None
    blocks = bytearray(frame[len(_ZSTD_HEAD) :])
    at = 0
    for begin, end, is_last in _headers(blocks):
        if is_last:
            blocks[begin] &= 0xFE
        at = end
    return bytes(blocks) if at == len(blocks) else None


def _headers(blocks: bytearray) -> Iterator[tuple[int, int, bool]]:
    """Where each block begins and ends, and whether it says that it is the last one."""
    at = 0
    while at + 3 <= len(blocks):
        header = int.from_bytes(blocks[at : at + 3], "little")
        size = 1 if header >> 1 & 3 == _RLE else header >> 3
        yield at, at + 3 + size, bool(header & 1)
        at += 3 + size


def _is_independent(blocks: bytes, text: bytes) -> bool:
    """Whether the blocks say `text` behind others, too."""
    if not text.isascii():
        return False  # `_before` tells bytes of its own from ASCII
    before, content = _before(len(text).bit_length())
    try:
        read: bytes = zstd.decompress(b"".join((_ZSTD_HEAD, before, blocks, _ZSTD_END)))
    except zstd.ZstdError:
        return False
    return len(read) == len(content) + len(text) and read.endswith(text)


@lru_cache(maxsize=4)
def _before(bits: int) -> tuple[bytes, bytes]:
    """Blocks, and what they say: no byte of it is ASCII. The offsets that they leave lead further back than a text of
    so many bits' bytes is long, so that whoever repeats one gets a byte of these."""
    marks = [bytes(byte | 0x80 for byte in hashlib.sha512(bytes((n,))).digest()) for n in range(3)]
    content = b"".join([*marks, b"\xff" * (2**bits), *(mark + b"\x80" * (n + 1) for n, mark in enumerate(marks))])
    blocks = _of_frame(content)
    assert blocks is not None
    return blocks, content
