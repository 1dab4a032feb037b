"""Compressed bodies of requests and answers: zstd where the server has it, else gzip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shared.codec import loads_answer

if TYPE_CHECKING:
    import httpx

COMPRESS_FROM: Final = 1024
"""Bytes of a body; below, compression saves nothing."""
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""Begins each zstd frame (RFC 8878), and no JSON text."""


ACCEPTED: Final = "zstd, gzip"


def coding_for(offered: frozenset[str]) -> str:
    """The best that the server has, too; "" if there is none."""
    if "zstd" in offered:
        return "zstd"
    return "gzip" if "gzip" in offered else ""


def compressed(data: bytes, coding: str) -> bytes:
    """The same data always give the same bytes: what is sent again is the same."""
    if coding == "zstd":
        from client.upstreams.zstandard import zstd  # noqa: PLC0415  a sync that finds nothing needs neither

        return zstd.compress(data, 3)
    import gzip  # noqa: PLC0415  as above

    return gzip.compress(data, 6, mtime=0)


def content_of(answer: httpx.Response) -> bytes:
    """The answer's body; httpx itself undoes gzip, and zstd if another library for it is there.

    Raises ValueError for one that is damaged.
    """
    data = answer.content
    if not data.startswith(_MAGIC):
        return data
    from client.upstreams.zstandard import zstd  # noqa: PLC0415  as above

    try:
        return zstd.decompress(data)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error


def value_of(answer: httpx.Response) -> Any:
    """The answer's JSON. Raises ValueError."""
    return loads_answer(content_of(answer))
