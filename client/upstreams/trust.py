"""Whom a client trusts over https: the authorities that httpx would trust by itself, read once a process. To read
them takes as long as a sync that finds nothing, and a first look and the whole sync after it need the same."""

from __future__ import annotations

import os
import ssl
from functools import cache


def trusted() -> ssl.SSLContext:
    """The authorities in SSL_CERT_FILE, or SSL_CERT_DIR, where one is named, else those that certifi brings. Raises
    OSError."""
    return _context(os.environ.get("SSL_CERT_FILE") or None, os.environ.get("SSL_CERT_DIR") or None)


@cache
def _context(file: str | None, place: str | None) -> ssl.SSLContext:
    if file is None and place is None:
        import certifi  # noqa: PLC0415  it takes time to load

        file = certifi.where()
    context = ssl.create_default_context(cafile=file, capath=place if file is None else None)
    context.set_alpn_protocols(["http/1.1"])
    return context
