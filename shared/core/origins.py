"""Origins of web pages, as browsers name them in `Origin`. Pure."""

from __future__ import annotations

from typing import Final


class OriginList(str):
    """Origins as an operator writes them: `origins_of` has read them."""

    __slots__ = ()


NO_ORIGINS: Final = OriginList()


def origin_list(text: str) -> OriginList:
    """ValueError if one of them is none."""
    origins_of(text)
    return OriginList(text)


def origins_of(text: str) -> frozenset[str]:
    """Origins, separated by white space or commas: scheme, host, and port if it is not the scheme's. ValueError for
    what is none; `*` is none, nor is `null`."""
    origins = text.replace(",", " ").split()
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if scheme not in ("http", "https") or not separator or not host or set("/?#@*") & set(host):
            raise ValueError(f"{origin!r} is no origin; one looks like https://app.example.org")
        if origin != origin.lower():
            raise ValueError(f"{origin!r} has capital letters, and browsers send none")
    return frozenset(origins)
