"""What the stores of signing in without a password promise: device grants, OpenID identities, sign-ins under way. As
those in `access.py`, they raise UnavailableError when they do not answer, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from shared.core.access.audit import AuditEntry
from shared.core.access.device_grants import Approval, DeviceGrant, UserCode
from shared.core.access.groups import Identity
from shared.core.access.roles import Role
from shared.core.access.sessions import ProviderFlow
from shared.core.documents import SpaceId, UserId


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


class IdentityStore(Protocol):
    """People as OpenID providers know them, by issuer and subject. An identity may be there before its user is."""

    async def by_subject(self, issuer: str, subject: str) -> Identity | None: ...

    async def of_user(self, user: UserId) -> list[Identity]: ...

    async def add(self, identity: Identity, entry: AuditEntry | None) -> Identity:
        """The identity of that issuer and subject: this one, or the one that was there before. The entry is stored if
        it is this one."""
        ...

    async def set_granted(self, issuer: str, subject: str, granted: Mapping[SpaceId, Role]) -> None: ...


class ProviderFlowStore(Protocol):
    """Sign-ins that are under way at a provider, by the hash of their state."""

    async def add(self, flow: ProviderFlow, state_hash: str) -> None: ...

    async def take(self, state_hash: str, now: float) -> ProviderFlow | None:
        """Once, and not after it has expired. Of several one gets it."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderRefusal:
    """Why a provider does not say who somebody is, or not in a way that can be believed."""

    reason: str


class OpenIdProvider(Protocol):
    """Where people sign in (OpenID Connect, the code flow with PKCE). UnavailableError when it does not answer, or
    not as a provider."""

    async def address(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent. It comes back to `redirect` with a code and the state."""
        ...

    async def claims(
        self, code: str, *, redirect: str, nonce: str, verifier: str
    ) -> Mapping[str, Any] | ProviderRefusal:
        """What it says of the person who came back: the claims of an ID token that it has signed, for us, just now,
        in answer to this nonce; `sub` is a text."""
        ...
