"""The codings of bodies: gzip (RFC 1952) and zstd (RFC 8878), bounded on the way in."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from shared.core.frozen import frozen

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

IDENTITY: Final = "identity"
GZIP: Final = "gzip"
CODINGS: Final = ("zstd", GZIP)
"""The best first."""
LEVEL: Final = {"zstd": 1, "gzip": 1}
_WINDOW_LOG: Final = 23  # 8 MiB, which RFC 8878 asks of every decoder
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS


_SLICE_BYTES: Final = 4096
_MEMBERS: Final = 100
_MEMBER_BYTES: Final = 1024
"""Each member, or frame, takes a decompressor of its own: so many, and one more for so many compressed bytes."""


class BrokenError(ValueError):
    """The compressed data is damaged or cut short."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """zlib's decompressor, which gives back what it did not take, with zstd's interface, which keeps it."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP_BITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class Decoder:
    """What was sent, out of what came, piece by piece; never more than `piece` bytes at a time."""

    def __init__(self, coding: str, *, piece: int = 64 * 1024) -> None:
        self._coding = coding
        self._piece = piece
        self._current: _Decompressor | None = None
        self._begun = False
        self._size = self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises BrokenError."""
        # In slices: what comes behind the end of a member is copied, and there may be a member every few bytes.
        for begin in range(0, len(data), _SLICE_BYTES):
            self._size += min(_SLICE_BYTES, len(data) - begin)
            yield from self._feed(data[begin : begin + _SLICE_BYTES])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._current is None:
                if not data:
                    return
                self._members += 1
                if self._members > _MEMBERS + self._size // _MEMBER_BYTES:
                    raise BrokenError("it has too many members")
                self._current = self._new()
            self._begun = True
            try:
                out = self._current.decompress(data, self._piece)
            except (zlib.error, zstd.ZstdError, MemoryError) as error:
                raise BrokenError("the data is damaged") from error
            if out:
                yield out
            if self._current.eof:
                data = self._current.unused_data  # another member, another frame
                self._current = None
                continue
            data = b""
            if not out:
                return

    def close(self) -> None:
        """Raises BrokenError if the end is missing."""
        if self._current is not None or not self._begun:
            raise BrokenError("the data ends too early")

    def _new(self) -> _Decompressor:
        if self._coding == "gzip":
            return _Gunzip()
        decompressor: _Decompressor = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        )
        return decompressor


def compress(coding: str, data: bytes) -> bytes:
    """All of `data`."""
    if coding == "zstd":
        return zstd.compress(data, LEVEL["zstd"])
    return zlib.compress(data, LEVEL["gzip"], _GZIP_BITS)


class Encoder:
    """Compresses piece by piece what has no end in sight."""

    def __init__(self, coding: str) -> None:
        """`coding`: one of CODINGS, or IDENTITY."""
        self._compressor: Any = None
        if coding == "zstd":
            self._compressor = zstd.ZstdCompressor(LEVEL["zstd"])
        elif coding == "gzip":
            self._compressor = zlib.compressobj(LEVEL["gzip"], zlib.DEFLATED, _GZIP_BITS)

    def feed(self, data: bytes) -> bytes:
        """What can be sent by now; may be empty."""
        compressed: bytes = data if self._compressor is None else self._compressor.compress(data)
        return compressed

    def close(self) -> bytes:
        """The rest."""
        compressed: bytes = b"" if self._compressor is None else self._compressor.flush()
        return compressed


def expected_size(coding: str, data: bytes) -> int:
    """What the compressed data say of their length decompressed, at their beginning or end; it need not be true. 0 if
    they say nothing."""
    if coding == "gzip":
        return int.from_bytes(data[-4:], "little")
    try:
        return zstd.get_frame_info(data).decompressed_size or 0
    except zstd.ZstdError:
        return 0


def decompressed(coding: str, data: bytes, max_bytes: int) -> bytes | None:
    """All of `data`, None if it has more than `max_bytes`. Raises BrokenError."""
    decoder, parts, size = Decoder(coding), list[bytes](), 0
    for part in decoder.feed(data):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            return None
    decoder.close()
    return b"".join(parts)


@frozen
class ReceivedBody:
    """A body as it came: compressed still if reading it takes long."""

    data: bytes
    coding: str = IDENTITY
    max_bytes: int = 0
    """That the body may have decompressed; used only if it is compressed."""
    on_decompressed: Callable[[int], None] = lambda size: None
    """Is told how many bytes these are, once it is known. Raises what `ByteBudget.take` raises."""
