"""Compressed bodies: bounded on the way in, on request on the way out. gzip (RFC 1952) and zstd (RFC 8878)."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Final, Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

IDENTITY: Final = "identity"
CODINGS: Final = ("zstd", "gzip")
"""The best first."""
MIN_BYTES: Final = 1000
"""Below that an answer fits into a packet anyway."""
_IN_THREAD_BYTES: Final = 256 * 1024
_LEVEL: Final = {"zstd": 1, "gzip": 1}
_WINDOW_LOG: Final = 23  # 8 MiB, which RFC 8878 asks of every decoder
_GZIP: Final = 16 + zlib.MAX_WBITS
_TEXTS: Final = ("application/json", "application/problem+json", "application/x-ndjson")


class BrokenError(ValueError):
    """The compressed data is damaged or cut short."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """zlib's decompressor, which gives back what it did not take, with the manners of zstd's, which keeps it."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)

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

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises BrokenError."""
        while True:
            if self._current is None:
                if not data:
                    return
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
        found: _Decompressor = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        )
        return found


def compress(coding: str, data: bytes) -> bytes:
    """All of `data`."""
    if coding == "zstd":
        return zstd.compress(data, _LEVEL["zstd"])
    return zlib.compress(data, _LEVEL["gzip"], _GZIP)


class Encoder:
    """Compresses piece by piece what has no end in sight."""

    def __init__(self, coding: str) -> None:
        """`coding`: one of CODINGS, or IDENTITY."""
        self._compressor: Any = None
        if coding == "zstd":
            self._compressor = zstd.ZstdCompressor(_LEVEL["zstd"])
        elif coding == "gzip":
            self._compressor = zlib.compressobj(_LEVEL["gzip"], zlib.DEFLATED, _GZIP)

    def feed(self, data: bytes) -> bytes:
        """What can be sent by now; may be empty."""
        found: bytes = data if self._compressor is None else self._compressor.compress(data)
        return found

    def close(self) -> bytes:
        """The rest."""
        found: bytes = b"" if self._compressor is None else self._compressor.flush()
        return found


async def compressed(coding: str, parts: Sequence[bytes]) -> bytes:
    """All of `parts`, beside other requests if it takes a while."""
    if sum(map(len, parts)) < _IN_THREAD_BYTES:
        return compress(coding, b"".join(parts))
    return await asyncio.to_thread(_together, coding, parts)


def _together(coding: str, parts: Sequence[bytes]) -> bytes:
    encoder = Encoder(coding)
    return b"".join([*map(encoder.feed, parts), encoder.close()])


def accepted(header: str | None) -> str:
    """The coding to answer in, by Accept-Encoding; IDENTITY if it asks for none of ours."""
    weights: dict[str, float] = {}
    for part in (header or "").lower().split(","):
        name, _, rest = part.partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            weights[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            continue
    found = [coding for coding in CODINGS if weights.get(coding, 0) > 0]
    return max(found, key=lambda coding: weights[coding], default=IDENTITY)


def tag_of(cursor: str, coding: str) -> str:
    """A strong ETag: of two codings of one content the bytes differ, so the tags must."""
    return f'"{cursor}"' if coding == IDENTITY else f'"{cursor}.{coding}"'


def tags_in(header: str | None) -> set[str]:
    """What If-None-Match names, without quotes and without the coding; "*" for anything."""
    found = set()
    for part in (header or "").split(","):
        text = part.strip().removeprefix("W/").strip('"')
        for coding in CODINGS:
            text = text.removesuffix(f".{coding}")
        found.add(text)
    return found - {""}


def tag_named(header: str | None, cursor: str) -> str:
    """Of the tags of this content the one that If-None-Match names: a 304 repeats it."""
    for coding in (IDENTITY, *CODINGS):
        if (tag := tag_of(cursor, coding)) in (header or ""):
            return tag
    return tag_of(cursor, IDENTITY)


class Compression:
    """Compresses answers that a handler did not compress itself: JSON of a known length, not small. What comes
    in pieces leaves in pieces, without Content-Length; HTTP/1.0 knows no such answers, so there they stay plain."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        coding = accepted(Headers(scope=scope).get("accept-encoding")) if scope["type"] == "http" else IDENTITY
        if coding == IDENTITY:
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        encoder: Encoder | None = None

        async def send_compressed(message: MutableMapping[str, Any]) -> None:
            nonlocal start, encoder
            if message["type"] == "http.response.start" and _compressible(Headers(raw=message["headers"])):
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                begun, start = start, None
                headers = MutableHeaders(raw=begun["headers"])
                if message.get("more_body", False) or (scope["method"] == "HEAD" and not message["body"]):
                    if scope["http_version"] != "1.0":
                        encoder = Encoder(coding)
                        _say(headers, coding, None)
                else:
                    body = await compressed(coding, [message["body"]])
                    _say(headers, coding, len(body))
                    message = {"type": "http.response.body", "body": body}
                await send(begun)
            if encoder is not None and message["type"] == "http.response.body":
                message = _encoded(message, encoder)
            await send(message)

        await self._app(scope, receive, send_compressed)


def _compressible(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0]
    return (
        kind in _TEXTS and "content-encoding" not in headers and int(headers.get("content-length", "0")) >= MIN_BYTES
    )


def _encoded(message: Message, encoder: Encoder) -> Message:
    more = message.get("more_body", False)
    data = encoder.feed(message.get("body", b""))
    return {**message, "body": data if more else data + encoder.close()}


def _say(headers: MutableHeaders, coding: str, length: int | None) -> None:
    """`length`: None if it is not known."""
    headers["content-encoding"] = coding
    if length is None:
        del headers["content-length"]
    else:
        headers["content-length"] = str(length)
    headers.add_vary_header("accept-encoding")
    if "etag" in headers:
        headers["etag"] = tag_of(headers["etag"].strip('"'), coding)
