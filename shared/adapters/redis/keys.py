"""Key names. Every key of a space carries the space as its hash tag, so that a cluster keeps the keys of one space
together."""

from __future__ import annotations

from shared.core.documents import DeviceId, SpaceId


def space_key(space: SpaceId, name: str) -> str:
    """The key `name` of a space."""
    return f"ht:{{{space}}}:{name}"


def process_key(process: str, name: str) -> str:
    """The key `name` of one process; it holds nothing of a space that outlives a request."""
    return f"ht:process:{process}:{name}"


def acknowledgements_key(space: SpaceId, device: DeviceId) -> str:
    """Which maps a device was given, and acknowledged: `posted` is 1 from when it posts until it lists the next time.
    The names in Redis, `rounds` and `agreed_at`, are those of earlier releases, which run beside this one during an
    upgrade."""
    return space_key(space, f"rounds:{device}")
