"""Addresses of servers, as an operator lists them. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit


class AddressList(str):
    """Addresses as an operator writes them: `addresses_of` has read them."""

    __slots__ = ()


NO_ADDRESSES: Final = AddressList()


def address_list(text: str) -> AddressList:
    """ValueError if one of them is invalid."""
    addresses_of(text)
    return AddressList(text)


def addresses_of(text: str) -> list[tuple[str, int]]:
    """Hosts with their ports, separated by white space or commas: `redis-1:26379`, `[::1]:26379`. ValueError for
    anything else."""
    addresses = text.replace(",", " ").split()
    return [_address(one) for one in addresses]


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if parts.netloc != text or "@" in text or not parts.hostname or not parts.port:
        raise ValueError(f"{text!r} is no address; one looks like redis-1:26379")
    return parts.hostname, parts.port
