"""Answers, compressed on request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, MutableMapping, Sequence
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.answer import TOGETHER
from api.http.codings import CODINGS, IDENTITY, Encoder, compress
from api.http.fields import fields_of

MIN_BYTES: Final = 1000
"""Below that an answer fits into a packet anyway."""
_IN_THREAD_BYTES: Final = 256 * 1024
_TEXTS: Final = ("application/json", "application/problem+json", "application/x-ndjson")


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
    if not header:
        return IDENTITY
    weights = accepted_codings(header)
    return max(weights, key=lambda coding: weights[coding], default=IDENTITY)


def accepted_codings(header: str | None) -> dict[str, float]:
    """Those of ours that Accept-Encoding asks for, with their weights."""
    weights: dict[str, float] = {}
    for part in (header or "").lower().split(","):
        name, _, rest = part.partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            weights[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            continue
    return {coding: weights[coding] for coding in CODINGS if weights.get(coding, 0) > 0}


def tag_of(cursor: str, coding: str) -> str:
    """A strong ETag: of two codings of one content the bytes differ, so the tags must."""
    return f'"{cursor}"' if coding == IDENTITY else f'"{cursor}.{coding}"'


def tags_in(header: str | None) -> set[str]:
    """What If-None-Match names, without quotes and without the coding; "*" for anything."""
    tags = set()
    for part in (header or "").split(","):
        text = part.strip().removeprefix("W/").strip('"')
        for coding in CODINGS:
            text = text.removesuffix(f".{coding}")
        tags.add(text)
    return tags - {""}


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

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        coding = accepted(fields_of(scope).get("accept-encoding")) if scope["type"] == "http" else IDENTITY
        if coding == IDENTITY:
            return self._app(scope, receive, send)
        return self._compressed(coding, scope, receive, send)

    async def _compressed(self, coding: str, scope: Scope, receive: Receive, send: Send) -> None:
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

        scope[TOGETHER] = False  # what is compressed leaves by itself
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
