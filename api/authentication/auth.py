"""Which device asks, and whether its user may do that in the space that it names."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from starlette.requests import Request

from api.authentication.cookies import SessionCookie
from api.authentication.seen import SeenDevices
from api.authentication.trusted import TRUSTED_SECONDS, Trusted
from api.errors import (
    FORBIDDEN,
    READ_ONLY,
    SPACE_ARCHIVED,
    TOO_MANY_DEVICES,
    UNAUTHENTICATED,
    Kind,
    ProblemError,
    quota_exceeded,
)
from api.http.connection import connection_of
from api.limits.admission import Admission
from api.limits.bounds import HOLDING
from api.limits.limits_in_force import LimitsInForce
from api.limits.pace import Pace
from api.reads.batch_loader import BatchLoader
from shared.core.access.audit import AuditAct, AuditEntry, Origin
from shared.core.access.limits import NO_LIMIT, Limit
from shared.core.access.people import AccountState, User
from shared.core.access.roles import Access, Act, Verdict, verdict_on
from shared.core.documents import Device, DeviceId, SequenceNumber, SpaceId, UserId, is_space_id
from shared.core.protocol import AUTH_SCHEMES, SPACE_HEADER
from shared.ports.access import AccessStores

_TOKEN: Final = re.compile(r"ht_[A-Za-z0-9_-]{43}\Z")
_TOKENS_AT_ONCE: Final = 500
_REVOKED_COUNT_SECONDS: Final = 24 * 3600
_SESSION_KEY: Final = "session "
"""What stands before the hash of the token of a web session, where hashes of tokens are told apart by no more."""
_NO_SPACE: Final = SpaceId("")
"""Where a session's request names none."""
_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="hypertask"'}


_REFUSED: Final[Mapping[Verdict, tuple[Kind, str]]] = {
    Verdict.READ_ONLY: (READ_ONLY, "You may read the space {}, not change it. Its owner can make you an editor."),
    Verdict.ARCHIVED: (SPACE_ARCHIVED, "The space {} is archived: it can be read, not changed."),
}


def token_hash(token: str) -> str:
    """SHA-256, hex. A token has 256 random bits, so there is nothing for a slow hash to protect."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def hash_of_token(request: Request) -> str:
    """Of the token that the request carries."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() not in AUTH_SCHEMES or not _TOKEN.match(token):
        detail = "Send the header Authorization: Bearer <token>."
        raise ProblemError(UNAUTHENTICATED, detail, headers=_CHALLENGE)
    return token_hash(token)


class NewDevice(NamedTuple):
    """What is made up for a device before there is one."""

    id: DeviceId
    token: str

    @classmethod
    def random(cls) -> NewDevice:
        return cls(DeviceId("d" + secrets.token_hex(8)), new_token())


class _New(NamedTuple):
    device: Device
    token: str
    entry: AuditEntry


def _new(
    owner: User,
    name: str,
    space: SpaceId,
    origin: Origin,
    *,
    every_space: bool,
    expires_at: float | None,
    shared: bool = False,
    identity: NewDevice | None = None,
) -> _New:
    """A device that is nowhere yet, its token, and what the audit log says of it."""
    now = time.time()
    identity = identity or NewDevice.random()
    device = Device(
        id=identity.id,
        user=owner.name,
        name=name,
        space=space,
        created_at=now,
        shared=shared,
        owner=owner.id,
        every_space=every_space,
        expires_at=expires_at,
    )
    act = AuditAct.DEVICE_ADDED
    entry = origin.entry(act, now, space=space, user=owner.id, device=device.id, every_space=every_space)
    return _New(device, identity.token, entry)


class Devices:
    """Devices by token, what they may do, and their making and revoking."""

    def __init__(
        self,
        stores: AccessStores,
        pace: Pace | None = None,
        *,
        limits: LimitsInForce | None = None,
        admission: Admission | None = None,
        cookie: SessionCookie | None = None,
    ) -> None:
        """`pace`: of those who ask. `limits`: of the devices that `create_bounded` makes.
        `admission`: counts requests. `cookie`: of web sessions, each of which is a device; None: only tokens are."""
        self._sessions = stores.sessions
        self._users = stores.users
        self._cookie = cookie
        self._store = stores.devices
        self._members = stores.members
        self._spaces = stores.spaces
        self._pace = pace
        self.admission = admission
        self._limits = limits
        self._making = asyncio.Lock()
        self._by_token = BatchLoader(stores.devices.by_token_hashes, most=_TOKENS_AT_ONCE)
        self._by_member = BatchLoader(stores.members.access, most=_TOKENS_AT_ONCE)
        self._devices = Trusted(self._of_hash)
        self._access = Trusted(self._by_member.get)
        self._seen = SeenDevices(stores.devices)

    async def of(self, request: Request, act: Act = Act.READ) -> Device:
        """The device whose token the request carries, in the space that it asks for. 401 without a token that is
        known; 403 for a space that it does not open, and for what its user may not do there."""
        device, refusal = await self.admit(request, act)
        if refusal is not None:
            raise refusal
        return device

    async def admit(self, request: Request, act: Act) -> tuple[Device, ProblemError | None]:
        """The device, and why its user may only read, if that is so: the caller raises it if the request turns out to
        need `act`. Raises 401 and 403 as `of` does if the user may not even read the space.

        Each request passes here once. It is counted against the rates (429), noted as the device's last sign of life,
        held back for a moment if its share asks for most while the process is busy, and its memory is booked on
        that."""
        # Only hashes are compared, here and in the store: how long that takes says nothing about a token.
        device = await self.by_hash(self.credential(request))
        if device is None:
            raise self.revoked_error()
        fields = request.headers
        asked = fields.get(SPACE_HEADER, device.space)
        if asked == _NO_SPACE:
            raise ProblemError(FORBIDDEN, f"A session opens every space of yours: name one with {SPACE_HEADER}.")
        if not is_space_id(asked) or not _names(device, SpaceId(asked)):
            raise _closed()
        space = SpaceId(asked)
        access = await self.access(space, device.owner)
        if access is not None and access.account is not AccountState.ACTIVE:
            raise self.revoked_error()
        if verdict_on(access, Act.READ) is not Verdict.ALLOWED:
            # Whether the space exists is not said.
            raise _closed()
        if space != device.space:
            device = replace(device, space=space)
        if self.admission is not None:
            await self.admission.device(request.scope, device, space)
        self._seen.note(device.id, client=fields.get("user-agent"))
        await self.take_share(request, device.share)
        refused = _REFUSED.get(verdict_on(access, act))
        if refused is None:
            return device, None
        profile = (await self._spaces.by_ids([space])).get(space)
        called = space if profile is None else f'"{profile.name}" ({space})'
        return device, ProblemError(refused[0], refused[1].format(called))

    async def take_share(self, request: Request, share: SpaceId) -> None:
        """Books what the request holds on the share (`Device.share`), and holds it back for a moment if that one asks
        for most while the process is busy."""
        if HOLDING in request.scope:
            request.scope[HOLDING].space = share
        if self._pace is not None:
            await self._pace.throttle(share, connection_of(request.scope))

    def credential(self, request: Request) -> str:
        """What `by_hash` takes: of the token that the request carries, or of the web session, if a script of our own
        pages made it. 401 without either."""
        if self._cookie is not None and "authorization" not in request.headers:
            token = self._cookie.sent_by_our_script(request)
            if token is not None:
                return _SESSION_KEY + token_hash(token)
        return hash_of_token(request)

    async def opens(self, token_hash: str, space: SpaceId, act: Act = Act.READ) -> bool:
        """Whether the token opens the space still, for this act."""
        device = await self.by_hash(token_hash)
        if device is None or not _names(device, space):
            return False
        return verdict_on(await self.access(space, device.owner), act) is Verdict.ALLOWED

    async def access(self, space: SpaceId, user: UserId | None) -> Access | None:
        """What a user is in a space; None: nothing, or there is no such space."""
        if user is None:
            return None
        return await self._access.get((space, user))

    def synced(self, device: DeviceId, space: SpaceId, sequence: SequenceNumber) -> None:
        """The device was told all of the space up to this sequence."""
        self._seen.note(device, synced={space: sequence})

    async def close(self) -> None:
        """Stores what is not stored yet of when devices were heard of."""
        await self._devices.close()
        await self._access.close()
        await self._seen.close()

    @staticmethod
    def revoked_error() -> ProblemError:
        """401 for a token that opens nothing."""
        detail = "The token is not known, has expired or was revoked. Make one: hypertask-server token create."
        return ProblemError(UNAUTHENTICATED, detail, headers=_CHALLENGE)

    async def by_hash(self, hash_: str) -> Device | None:
        """The device whose token has this hash, if it was not revoked and has not expired."""
        return await self._devices.get(hash_)

    async def _of_hash(self, hash_: str) -> Device | None:
        if hash_.startswith(_SESSION_KEY):
            device = await self._of_session(hash_.removeprefix(_SESSION_KEY))
        else:
            device = await self._by_token.get(hash_)
        return None if device is None or device.is_expired(time.time()) else device

    async def _of_session(self, hash_: str) -> Device | None:
        """A browser that is signed in, as a device: it opens every space of its user, and a request names one."""
        session = await self._sessions.by_token_hash(hash_)
        if session is None:
            return None
        user = (await self._users.by_ids([session.user])).get(session.user)
        if user is None:
            return None
        return Device(
            id=DeviceId(session.id),
            user=user.name,
            name=session.agent,
            space=_NO_SPACE,
            created_at=session.created_at,
            owner=user.id,
            every_space=True,
            expires_at=session.expires_at,
        )

    async def create(
        self,
        owner: User,
        *,
        name: str,
        space: SpaceId,
        origin: Origin,
        shared: bool = False,
        every_space: bool = False,
        expires_at: float | None = None,
    ) -> tuple[Device, str]:
        """A new device and its token, which is nowhere else. The caller has seen to it that the owner is a member of
        the space. `shared`: several devices will use it."""
        new = _new(owner, name, space, origin, shared=shared, every_space=every_space, expires_at=expires_at)
        await self._store.add(new.device, token_hash(new.token), new.entry)
        return new.device, new.token

    async def create_bounded(
        self,
        owner: User,
        *,
        name: str,
        space: SpaceId,
        origin: Origin,
        every_space: bool = False,
        expires_at: float | None = None,
        identity: NewDevice | None = None,
    ) -> tuple[Device, str]:
        """The same for one who may make many. 409 if the space has as many as it may have, 507 if the user has: those
        that were revoked within a day are counted too, so that making and revoking has an end. `identity`: its id and
        token, if they are not to be any; DeviceExistsError if there is or was one with this id."""
        new = _new(owner, name, space, origin, every_space=every_space, expires_at=expires_at, identity=identity)
        since = time.time() - _REVOKED_COUNT_SECONDS
        most = most_of_user = NO_LIMIT
        if self._limits is not None:
            most = await self._limits.of_space(Limit.DEVICES_PER_SPACE, space)
            most_of_user = await self._limits.of_user(Limit.DEVICES_PER_USER, owner.id)
        async with self._making:  # two at the same time would have to begin again
            reached = await self._store.add_bounded(
                new.device, token_hash(new.token), new.entry, most=most, since=since, most_of_user=most_of_user
            )
        if reached is Limit.DEVICES_PER_USER:
            todo = "Those revoked within a day are counted. Revoke what is not used, or ask for more."
            raise quota_exceeded(reached, most_of_user, most_of_user, todo)
        if reached is not None:
            detail = (
                f"The space has {most} devices, those revoked within a day counted, and may have no more "
                "(HYPERTASK_DEVICES_PER_SPACE). Revoke what is not used."
            )
            raise ProblemError(TOO_MANY_DEVICES, detail)
        return new.device, new.token

    async def reach(self, device: Device) -> list[SpaceId]:
        """The spaces that the device may hold something open in."""
        others = await self._members.of_user(device.owner) if device.every_space and device.owner else []
        return list({device.space, *(member.space for member in others)})

    async def list_of(self, user: UserId, space: SpaceId | None = None) -> list[Device]:
        return await self._store.list_of(user, space)

    async def list_all(self) -> list[Device]:
        return await self._store.list_all()

    async def rotate(
        self, device: DeviceId, *, origin: Origin, owner: UserId, space: SpaceId | None = None
    ) -> tuple[Device, str] | None:
        """The device and its new token; None as `revoke`. When this returns the old one opens nothing any more."""
        token = new_token()
        entry = origin.entry(AuditAct.DEVICE_ROTATED, time.time())
        rotated = await self._store.rotate(device, token_hash(token), entry, owner=owner, space=space)
        if rotated is None:
            return None
        await asyncio.sleep(1.1 * TRUSTED_SECONDS)
        return rotated, token

    async def revoke(
        self, device: DeviceId, *, origin: Origin, owner: UserId | None = None, space: SpaceId | None = None
    ) -> Device | None:
        """The device; None if that user has no such device, made for that space, or it was revoked before. When this
        returns its token opens nothing any more, in any process: who looked it up before the change has to look
        again."""
        entry = origin.entry(AuditAct.DEVICE_REVOKED, time.time())
        revoked = await self._store.revoke(device, entry, owner=owner, space=space)
        if revoked is not None:
            await asyncio.sleep(1.1 * TRUSTED_SECONDS)
        return revoked


def new_token() -> str:
    """256 random bits."""
    return token_from(secrets.token_bytes(32))


def token_from(bits: bytes) -> str:
    """256 bits that nobody can guess, as a token."""
    return "ht_" + base64.urlsafe_b64encode(bits).rstrip(b"=").decode("ascii")


def _names(device: Device, space: SpaceId) -> bool:
    """Whether requests with the device's token may name the space."""
    return device.every_space or space == device.space


def _closed() -> ProblemError:
    return ProblemError(FORBIDDEN, "The token does not open this space.")
