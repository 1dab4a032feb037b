"""Limits of users and spaces: which there are, whose override holds, and how an answer says them. Pure.

Laws (tests/unit/core/access/test_limits.py):
    an override of a space holds over one of its owner, and that one over the setting
    NO_LIMIT (0) is never reached
    what is left is never negative, and never more than the limit
    a refused rate says to wait at least one second
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

NO_LIMIT: Final = 0
RATE_SECONDS: Final = 60
"""The window of all rates of requests."""
HOUR_SECONDS: Final = 3600
_HOST_BITS: Final = 64


class Limit(StrEnum):
    """A limit, by the name of its setting (shared/settings.py)."""

    REQUESTS_PER_ADDRESS = "requests_per_address"
    REQUESTS_PER_TOKEN = "requests_per_token"  # noqa: S105  a name
    REQUESTS_PER_USER = "requests_per_user"
    REQUESTS_PER_SPACE = "requests_per_space"
    SIGN_UPS_PER_ADDRESS = "sign_ups_per_address"
    STREAMS_PER_DEVICE = "streams_per_device"
    STREAMS_PER_USER = "streams_per_user"
    STREAMS_PER_SPACE = "streams_per_space"
    SPACES_PER_USER = "spaces_per_user"
    DEVICES_PER_USER = "devices_per_user"
    DEVICES_PER_SPACE = "devices_per_space"
    SPACE_DOCUMENTS = "space_documents"
    SPACE_BYTES = "space_bytes"
    SPACE_HISTORY_BYTES = "space_history_bytes"
    MAX_DOCUMENT_BYTES = "max_document_bytes"
    MAX_BATCH_BYTES = "max_batch_bytes"
    IMPORT_BYTES = "import_bytes"


OF_SPACE: Final = frozenset(
    {
        Limit.REQUESTS_PER_SPACE,
        Limit.STREAMS_PER_SPACE,
        Limit.DEVICES_PER_SPACE,
        Limit.SPACE_DOCUMENTS,
        Limit.SPACE_BYTES,
        Limit.SPACE_HISTORY_BYTES,
    }
)
"""They may be other for one space; and for a user: then for all spaces that are their own."""
OF_USER: Final = OF_SPACE | {
    Limit.REQUESTS_PER_TOKEN,
    Limit.REQUESTS_PER_USER,
    Limit.STREAMS_PER_DEVICE,
    Limit.STREAMS_PER_USER,
    Limit.SPACES_PER_USER,
    Limit.DEVICES_PER_USER,
    Limit.MAX_DOCUMENT_BYTES,
    Limit.MAX_BATCH_BYTES,
    Limit.IMPORT_BYTES,
}
"""They may be other for one user. Those of an address are nobody's."""
ONLY_LOWER: Final = frozenset({Limit.MAX_DOCUMENT_BYTES, Limit.MAX_BATCH_BYTES})
"""An override above the setting has no effect: processes that all share are made for the setting."""
Overrides = Mapping[str, float]


def limit_of(limit: Limit, setting: int, *overrides: Overrides) -> int:
    """The limit that holds: the first override that has one, or else the setting."""
    for those in overrides:
        if limit in those:
            limit_value = int(those[limit])
            return min(limit_value, setting) if limit in ONLY_LOWER else limit_value
    return setting


def invalid_override(name: str, value: object, allowed: frozenset[Limit]) -> str | None:
    """Why that cannot be an override; None: it can."""
    if name not in allowed:
        return f"there are: {', '.join(sorted(allowed))}"
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        return "a limit is a whole number from 0 on; 0 is no limit"
    if name in ONLY_LOWER | {Limit.IMPORT_BYTES} and value == NO_LIMIT:
        return "sizes of bodies always have a limit"
    return None


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds. `amount` NO_LIMIT: any number."""

    limit: Limit
    amount: int
    seconds: int = RATE_SECONDS


def window_left(
    rate: Rate, previous: int, previous_seconds: float, current: int, current_seconds: float
) -> tuple[int, float]:
    """What a sliding window of two counters has left, and the seconds until it has more. The counter of the window
    before weighs less and less, and nothing when its seconds are over. Those of the current one are what is left of
    it and of the next window."""
    weighted = math.floor(previous * previous_seconds / rate.seconds) + current
    left = max(rate.amount - weighted, 0)
    if previous and previous_seconds > 0:
        return left, previous_seconds % (rate.seconds / previous)
    return left, max(current_seconds - rate.seconds, 0.0) + rate.seconds / max(current, 1)


class RateState(NamedTuple):
    """What one request found. `remaining`: how many more there may be. `reset_seconds`: when there may be more than
    that."""

    rate: Rate
    allowed: bool
    remaining: int
    reset_seconds: float

    @property
    def retry_after(self) -> int:
        """Seconds."""
        return max(math.ceil(self.reset_seconds), 1)

    @property
    def is_low(self) -> bool:
        """Less than half is left: worth saying."""
        return not self.allowed or 2 * self.remaining < self.rate.amount


def rate_fields(states: list[RateState]) -> dict[str, str]:
    """The fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers: lists of structured fields),
    of the rates that are low. `q` and `r` are requests, `w` and `t` seconds."""
    low = [state for state in states if state.is_low]
    if not low:
        return {}
    policies = [f'"{state.rate.limit}";q={state.rate.amount};w={state.rate.seconds}' for state in low]
    left = [f'"{state.rate.limit}";r={max(state.remaining, 0)};t={state.retry_after}' for state in low]
    return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(left)}


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What the requests of one client have in common: whoever has an IPv6 address has the 2^64 of its network."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(known) >> _HOST_BITS << _HOST_BITS, 128 - _HOST_BITS)))
