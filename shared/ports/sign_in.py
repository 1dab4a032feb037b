"""What the stores of device grants promise: how a terminal gets a token. As those in `access.py`, they raise
UnavailableError when they do not answer, and nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from shared.core.access.device_grants import Approval, DeviceGrant, UserCode


class GrantFailure(StrEnum):
    """Why a grant was not added."""

    CODE_TAKEN = "code-taken"
    """By a grant that is there still: choose another one."""
    TOO_MANY = "too-many"
    """That wait and come from the same address."""


class DeviceGrantStore(Protocol):
    """Device grants, by the hash of the terminal's secret, and by the code that people type. What has expired may be
    missing."""

    async def add(self, grant: DeviceGrant, secret_hash: str, *, most: int) -> GrantFailure | None:
        """None: it is added. `most`: how many of one address may wait at `grant.created_at`; those that are added at
        the same time may pass it."""
        ...

    async def poll(self, secret_hash: str, now: float) -> DeviceGrant | None:
        """The grant as it was before, in which this request is noted: `polled_at`, and a longer `interval` if it came
        too early. Of several at the same time each sees the one before."""
        ...

    async def waiting(self, code: UserCode, now: float) -> DeviceGrant | None:
        """The grant of that code, if it can be approved."""
        ...

    async def decide(self, code: UserCode, now: float, approval: Approval | None) -> bool:
        """Approves or, without an approval, denies it. False: none of that code waits. Of several one succeeds."""
        ...

    async def use(self, secret_hash: str, now: float) -> DeviceGrant | None:
        """The grant, if it was approved, has not expired and was not used before. Of several one succeeds."""
        ...
