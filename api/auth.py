"""Who asks: tokens, devices."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from typing import Final

from starlette.requests import Request

from api.batch_loader import BatchLoader
from api.errors import FORBIDDEN, TOO_MANY_DEVICES, UNAUTHENTICATED, ProblemError
from api.pace import Pace
from api.room import HOLDING
from shared.core.documents import Device, DeviceId, SpaceId, UserName
from shared.core.protocol import AUTH_SCHEMES, SPACE_HEADER
from shared.observability import event
from shared.ports import DeviceStore, UnavailableError

logger = logging.getLogger(__name__)

_TOKEN: Final = re.compile(r"ht_[A-Za-z0-9_-]{43}\Z")
_SEEN_EVERY_SECONDS: Final = 60
_SEEN_KEPT: Final = 10_000
_TOKENS_AT_ONCE: Final = 500
_TRUSTED_SECONDS: Final = 0.1
"""How long a process goes on opening to a token that it has looked up. Revoking waits as long, so that no process
opens to the token once it says that it is revoked."""
_REVOKED_COUNT_SECONDS: Final = 24 * 3600
_TRUSTED_KEPT: Final = 10_000
_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="hypertask"'}


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


class Devices:
    """Devices by token, and their making and revoking."""

    def __init__(self, store: DeviceStore, pace: Pace | None = None, *, most_of_space: int | None = None) -> None:
        """`pace`: of those who ask. `most_of_space`: how many devices of a space `create_bounded` makes."""
        self._store = store
        self._pace = pace
        self._most_of_space = most_of_space
        self._making = asyncio.Lock()
        self._by_token = BatchLoader(store.by_token_hashes, most=_TOKENS_AT_ONCE)
        self._trusted: dict[str, tuple[float, Device]] = {}
        self._seen: dict[DeviceId, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def of(self, request: Request) -> Device:
        """The device whose token the request carries, in the space that it asks for. 401 without a token
        that is known, 403 for a space that is not the token's."""
        # Only hashes are compared, here and in the store: how long that takes says nothing about a token.
        device = await self.by_hash(hash_of_token(request))
        if device is None:
            raise self.revoked_error()
        if request.headers.get(SPACE_HEADER, device.space) != device.space:
            # Whether the other space exists is not said.
            raise ProblemError(FORBIDDEN, "The token opens another space.")
        if HOLDING in request.scope:
            request.scope[HOLDING].space = device.space
        self._note(device)
        if self._pace is not None:
            await self._pace.turn(device.space)
        return device

    @staticmethod
    def revoked_error() -> ProblemError:
        """401 for a token that opens nothing."""
        detail = "The token is not known, or was revoked. Make one: hypertask-server token create."
        return ProblemError(UNAUTHENTICATED, detail, headers=_CHALLENGE)

    async def by_hash(self, hash_: str) -> Device | None:
        """The device whose token has this hash, if it is not revoked."""
        asked = time.monotonic()
        until, trusted = self._trusted.get(hash_, (0.0, None))
        if asked < until:
            return trusted
        device = await self._by_token.get(hash_)
        if device is None:
            self._trusted.pop(hash_, None)
        else:
            if len(self._trusted) >= _TRUSTED_KEPT:
                self._trusted.clear()
            self._trusted[hash_] = (asked + _TRUSTED_SECONDS, device)
        return device

    async def create(self, *, user: UserName, name: str, space: SpaceId, shared: bool = False) -> tuple[Device, str]:
        """A new device and its token, which is nowhere else. `shared`: several devices will use it."""
        token = "ht_" + secrets.token_urlsafe(32)
        device = Device(
            id=DeviceId("d" + secrets.token_hex(8)),
            user=user,
            name=name,
            space=space,
            created_at=time.time(),
            shared=shared,
        )
        await self._store.add(device, token_hash(token))
        return device, token

    async def create_bounded(self, *, user: UserName, name: str, space: SpaceId) -> tuple[Device, str]:
        """The same for one who may make many. 409 if the space has as many as it may have: those that were revoked
        within a day are counted too, so that making and revoking has an end."""
        async with self._making:
            count = await self._store.count(space, time.time() - _REVOKED_COUNT_SECONDS)
            if self._most_of_space is not None and count >= self._most_of_space:
                detail = (
                    f"The space has {count} devices, those revoked within a day counted, and may have "
                    f"{self._most_of_space} (HYPERTASK_DEVICES_PER_SPACE). Revoke what is not used."
                )
                raise ProblemError(TOO_MANY_DEVICES, detail)
            return await self.create(user=user, name=name, space=space)

    async def list_of(self, user: UserName, space: SpaceId | None = None) -> list[Device]:
        return await self._store.list_of(user, space)

    async def list_all(self) -> list[Device]:
        return await self._store.list_all()

    async def revoke(
        self, device: DeviceId, *, user: UserName | None = None, space: SpaceId | None = None
    ) -> Device | None:
        """The device; None if that user or space has no such device, or it was revoked before. When this returns its
        token opens nothing any more, in any process: who looked it up before the change has to look again."""
        revoked = await self._store.revoke(device, user=user, space=space)
        if revoked is not None:
            await asyncio.sleep(1.1 * _TRUSTED_SECONDS)
        return revoked

    def _note(self, device: Device) -> None:
        """Remembers now and then that a device was heard of, beside the request."""
        now = time.time()
        if now - self._seen.get(device.id, 0) < _SEEN_EVERY_SECONDS:
            return
        if len(self._seen) >= _SEEN_KEPT:
            self._seen.clear()
        self._seen[device.id] = now
        task = asyncio.create_task(self._write_seen(device.id, now))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_seen(self, device: DeviceId, at: float) -> None:
        try:
            await self._store.seen(device, at)
        except UnavailableError as error:
            event(logger, logging.INFO, "last_seen_not_written", cause=error)
