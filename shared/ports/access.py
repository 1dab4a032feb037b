"""What the stores of people, spaces, members, invitations and sessions promise. Adapters are judged by these
docstrings (tests/contract/test_access_stores.py).

All of them: UnavailableError when they do not answer, and nothing else that a caller should expect. What can happen
to a request is a value, not an exception. A method that takes an AuditEntry stores it if, and only if, it changes
something, atomically with the change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shared.core.access.audit import AuditEntry
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.limits import Limit, Overrides
from shared.core.access.people import User
from shared.core.access.roles import Access, Membership, Role, SpaceProfile
from shared.core.access.sessions import Failures, WebSession, WebSessionId
from shared.core.documents import Device, DeviceId, SpaceId, Synced, UserId, UserName
from shared.ports.sign_in import DeviceGrantStore, IdentityStore, ProviderFlowStore


class Taken(StrEnum):
    """Why a user cannot be called so, or be added."""

    NAME = "name"
    EMAIL = "email"


class AcceptFailure(StrEnum):
    """Why an invitation was not accepted. Nothing was stored then."""

    GONE = "gone"
    """Unknown, used by somebody else, revoked or expired."""
    ALREADY_MEMBER = "already-member"
    """Of the space; the invitation can be used by somebody else."""


class UserStore(Protocol):
    """People. Their names are unique by `name_key`, their e-mail addresses by `email_key`."""

    async def add(
        self,
        user: User,
        password_hash: str | None,
        entry: AuditEntry,
        *,
        space: SpaceProfile | None = None,
        invitation: str | None = None,
    ) -> Taken | AcceptFailure | None:
        """A new user, with a first space if one is given, and with the invitation of that secret's hash accepted:
        all of it or nothing. None: it is done. The invitation is judged at `user.created_at`."""
        ...

    async def by_ids(self, users: Collection[UserId]) -> dict[UserId, User]: ...

    async def by_login(self, login: str) -> tuple[User, str | None] | None:
        """The user whose name or else e-mail address this is, as people spell it, and the hash of the password."""
        ...

    async def password_hash(self, user: UserId) -> str | None: ...

    async def set_password(self, user: UserId, password_hash: str | None, entry: AuditEntry | None) -> bool:
        """False: there is no such user. Without an entry: the same password, hashed in another way."""
        ...

    async def rename(self, user: UserId, name: UserName, entry: AuditEntry) -> Taken | None: ...

    async def set_email(self, user: UserId, email: str | None, entry: AuditEntry) -> Taken | None: ...

    async def set_disabled(self, user: UserId, at: float | None, entry: AuditEntry) -> bool:
        """None: enabled again. False: there is no such user, or it was so before."""
        ...

    async def set_administrator(self, user: UserId, administrator: bool, entry: AuditEntry) -> bool: ...

    async def set_overrides(self, user: UserId, overrides: Mapping[str, float], entry: AuditEntry) -> bool:
        """All of them; those that are left out hold no more."""
        ...

    async def set_delete_at(self, user: UserId, at: float | None, entry: AuditEntry) -> bool:
        """None: not at all. False: there is no such user, or it was so before (with an `at`: deleted before)."""
        ...

    async def exported(self, user: UserId, at: float) -> None:
        """Remembers when the user took everything along."""
        ...

    async def search(self, text: str, after: str, most: int) -> list[User]:
        """The first `most` by id, after that id, whose name or e-mail address has `text` in it."""
        ...

    async def administrators(self) -> list[User]:
        """All of them, in whatever state their accounts are."""
        ...

    async def due(self, now: float, most: int) -> list[UserId]:
        """Users whose grace period has ended."""
        ...

    async def remove(self, user: UserId, now: float, entry: AuditEntry) -> bool:
        """The user with their memberships, sessions and devices, if the grace period has ended at `now` still and no
        space is their own. Invitations that were made stay."""
        ...


@dataclass(frozen=True, slots=True)
class SpaceOverrides:
    """Limits of one space that are other than the settings say."""

    own: Overrides = field(default_factory=dict, hash=False)
    of_owner: Overrides = field(default_factory=dict, hash=False)
    """They hold where the space has none of its own."""


class SpaceStore(Protocol):
    """What people know of spaces. The documents are in DocumentStore."""

    async def add(self, space: SpaceProfile, owner: UserId, entry: AuditEntry) -> bool:
        """With its owner's membership. False: there is a space with this id."""
        ...

    async def add_bounded(self, space: SpaceProfile, owner: UserId, entry: AuditEntry, *, most: int) -> bool:
        """As `add`, of an id that nobody has, if the user owns fewer than `most` spaces, deleted ones counted;
        whoever else adds at the same time. Otherwise nothing happens, and False."""
        ...

    async def by_ids(self, spaces: Collection[SpaceId]) -> dict[SpaceId, SpaceProfile]: ...

    async def rename(self, space: SpaceId, name: str, entry: AuditEntry) -> bool:
        """False: there is no such space, or it was so before; the same of the methods below."""
        ...

    async def set_archived(self, space: SpaceId, at: float | None, entry: AuditEntry) -> bool:
        """None: active again."""
        ...

    async def set_delete_at(self, space: SpaceId, at: float | None, entry: AuditEntry) -> bool:
        """None: not at all."""
        ...

    async def set_overrides(self, space: SpaceId, overrides: Mapping[str, float], entry: AuditEntry) -> bool: ...

    async def overrides(self, spaces: Collection[SpaceId]) -> dict[SpaceId, SpaceOverrides]:
        """Of those that have an owner, by the next call after a change."""
        ...

    async def search(self, text: str, after: str, most: int) -> list[SpaceProfile]:
        """The first `most` by id, after that id, whose id or name has `text` in it."""
        ...

    async def due(self, now: float, most: int) -> list[SpaceId]:
        """Spaces whose grace period has ended."""
        ...

    async def remove(self, space: SpaceId, now: float, entry: AuditEntry) -> bool:
        """The space with its memberships and invitations, if the grace period has ended at `now` still. Its documents
        are removed before, by `DocumentStore.drop`."""
        ...


class TransferFailure(StrEnum):
    """Why a space has the owner that it had."""

    NO_MEMBER = "no-member"
    """The old owner is none, or the new one is no member."""
    FULL = "full"
    """The new owner owns as many spaces as they may."""


class MembershipStore(Protocol):
    """Who is in which space. A space has one owner: only `transfer` makes another one."""

    async def access(self, pairs: Collection[tuple[SpaceId, UserId]]) -> dict[tuple[SpaceId, UserId], Access]:
        """Of those pairs that are memberships. A space of others and one that does not exist are looked up in the
        same way. A change is seen by the next call."""
        ...

    async def of_user(self, user: UserId) -> list[Membership]:
        """Oldest first."""
        ...

    async def of_space(self, space: SpaceId) -> list[Membership]:
        """Oldest first."""
        ...

    async def add(self, membership: Membership, entry: AuditEntry) -> bool:
        """Of an editor or a reader. False: they are a member already."""
        ...

    async def set_role(self, space: SpaceId, user: UserId, role: Role, entry: AuditEntry) -> bool:
        """Editor or reader. False: no such member, its owner, or it was so before."""
        ...

    async def remove(self, space: SpaceId, user: UserId, entry: AuditEntry) -> bool:
        """False: no such member, or the owner."""
        ...

    async def transfer(
        self, space: SpaceId, owner: UserId, to: UserId, entry: AuditEntry, *, most: int = 0
    ) -> TransferFailure | None:
        """`to` is the owner then and `owner` an editor, atomically. `most`: how many spaces `to` may own then,
        deleted ones counted, whatever else they are given or make at the same time; 0: any number."""
        ...


class InvitationStore(Protocol):
    """Invitations, by the hash of their secret."""

    async def add(self, invitation: Invitation, secret_hash: str, entry: AuditEntry) -> None: ...

    async def by_secret(self, secret_hash: str) -> Invitation | None: ...

    async def list_of(self, space: SpaceId | None) -> list[Invitation]:
        """Of the space, or those to the server alone: what was neither used nor revoked, newest first."""
        ...

    async def accept(
        self, secret_hash: str, user: UserId, now: float, entry: AuditEntry
    ) -> Invitation | AcceptFailure:
        """Uses the invitation and makes the membership, atomically: of several who accept one succeeds. Whoever has
        used it is answered the same again."""
        ...

    async def revoke(self, invitation: InvitationId, space: SpaceId | None, at: float, entry: AuditEntry) -> bool:
        """False: that space has no such invitation, or it was used or revoked before."""
        ...


class SessionStore(Protocol):
    """Web sessions, by the hash of their token."""

    async def add(self, session: WebSession, token_hash: str, entry: AuditEntry) -> None: ...

    async def by_token_hash(self, token_hash: str) -> WebSession | None:
        """Expired ones too."""
        ...

    async def list_of(self, user: UserId) -> list[WebSession]:
        """Oldest first."""
        ...

    async def seen(self, session: WebSessionId, at: float) -> None: ...

    async def end(self, session: WebSessionId, user: UserId, entry: AuditEntry) -> bool:
        """False: the user has no such session."""
        ...

    async def end_all(self, user: UserId, entry: AuditEntry, *, keep: WebSessionId | None = None) -> int:
        """All of the user's but one; how many."""
        ...

    async def forget(self, now: float) -> int:
        """Removes those that have expired; how many."""
        ...


class DeviceExistsError(Exception):
    """There is, or was, a device with this id."""


class DeviceStore(Protocol):
    """Devices and the hashes of their tokens."""

    async def add(self, device: Device, token_hash: str, entry: AuditEntry) -> None: ...

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        """The devices of those tokens that are known and not revoked; expired ones too. A revocation is seen by the
        next call. Each has an owner, who is a member of its space: one that a process of an earlier release has added
        is given to its user here."""
        ...

    async def list_of(self, owner: UserId, space: SpaceId | None = None) -> list[Device]:
        """The user's devices, oldest first, revoked ones not; those made for one space if it is given."""
        ...

    async def add_bounded(
        self, device: Device, token_hash: str, entry: AuditEntry, *, most: int, since: float, most_of_user: int = 0
    ) -> Limit | None:
        """As `add`, if the space has fewer than `most` devices, and their owner fewer than `most_of_user`, those
        counted too that were revoked at `since`, in seconds since 1970, or later; whoever else adds at the same time.
        0: any number. Otherwise nothing happens, and the limit that was reached. Raises DeviceExistsError, also for
        one that was revoked; of several with one id that are added at the same time one is."""
        ...

    async def list_all(self) -> list[Device]: ...

    async def rotate(
        self, device: DeviceId, token_hash: str, entry: AuditEntry, *, owner: UserId, space: SpaceId | None = None
    ) -> Device | None:
        """The device, which from now on has the token of this hash and no other. None: as `revoke`."""
        ...

    async def revoke(
        self, device: DeviceId, entry: AuditEntry, *, owner: UserId | None = None, space: SpaceId | None = None
    ) -> Device | None:
        """The device, of which the token opens nothing any more when this returns. None if there is no such device,
        it is not that user's, was not made for that space, or was revoked before. The entry's device, user and space
        are those of the device, whatever it says."""
        ...

    async def seen(
        self,
        device: DeviceId,
        at: float,
        *,
        client: str | None = None,
        synced: Mapping[SpaceId, Synced] | None = None,
    ) -> None:
        """Remembers when the device was last heard of (seconds since 1970), what its program calls itself, and how
        far it has followed spaces. Neither time nor sequence goes back."""
        ...


class SignInFailureStore(Protocol):
    """Wrong passwords, by keys that the caller makes of accounts and addresses."""

    async def read(self, keys: Collection[str]) -> dict[str, Failures]:
        """Those that had some; what is older than FORGET_SECONDS may be missing."""
        ...

    async def add(self, keys: Collection[str], at: float) -> None:
        """One more each."""
        ...

    async def forget(self, keys: Collection[str]) -> None: ...


class AuditLog(Protocol):
    """Grows only: nothing here changes or removes a row."""

    async def append(self, entry: AuditEntry) -> None:
        """For what no store above changes."""
        ...

    async def read(
        self,
        *,
        space: SpaceId | None = None,
        user: UserId | None = None,
        before: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        """The newest ones first; of that space, of that user (by them or to them), before that time."""
        ...


class PasswordHasher(Protocol):
    """Slow on purpose, beside the event loop, a few at a time. OverloadedError if too many wait."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """None: False, after as long as it takes to verify a password."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """It was made in a way that is not the present one."""
        ...


@dataclass(frozen=True, slots=True)
class AccessStores:
    """All of them, of one database."""

    users: UserStore
    spaces: SpaceStore
    members: MembershipStore
    invitations: InvitationStore
    sessions: SessionStore
    devices: DeviceStore
    failures: SignInFailureStore
    audit: AuditLog
    grants: DeviceGrantStore
    identities: IdentityStore
    flows: ProviderFlowStore
