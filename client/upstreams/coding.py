"""Compressed bodies of requests and answers: zstd where both sides have it, else gzip."""

from __future__ import annotations

import gzip
import importlib
from typing import Any, Final

import httpx

from shared.codec import loads_answer

COMPRESS_FROM: Final = 1024
"""Bytes of a body; below, compression saves nothing."""
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""Begins each zstd frame (RFC 8878), and no JSON text."""


def _library() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


_ZSTD: Final = _library()
ACCEPTED: Final = "gzip" if _ZSTD is None else "zstd, gzip"


def coding_for(offered: frozenset[str]) -> str:
    """The best that both sides have; "" if there is none."""
    if _ZSTD is not None and "zstd" in offered:
        return "zstd"
    return "gzip" if "gzip" in offered else ""


def compressed(data: bytes, coding: str) -> bytes:
    """The same data always give the same bytes: what is sent again is the same."""
    if coding == "zstd":
        made: bytes = _ZSTD.compress(data, 3)
        return made
    return gzip.compress(data, 6, mtime=0)


def content_of(answer: httpx.Response) -> bytes:
    """The answer's body; httpx itself undoes gzip, and zstd if another library for it is there.

    Raises ValueError for one that is damaged.
    """
    data = answer.content
    if _ZSTD is None or not data.startswith(_MAGIC):
        return data
    try:
        whole: bytes = _ZSTD.decompress(data)
    except _ZSTD.ZstdError as error:
        raise ValueError(str(error)) from error
    return whole


def value_of(answer: httpx.Response) -> Any:
    """The answer's JSON. Raises ValueError."""
    return loads_answer(content_of(answer))
