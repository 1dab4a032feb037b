"""Which person asks: by a web session, or by the token of a device."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from api.authentication.auth import Devices, hash_of_token, token_hash
from api.authentication.cookies import CSRF_HEADER, SessionCookie, check_csrf
from api.errors import ACCOUNT_LEAVING, SESSION_REQUIRED, UNAUTHENTICATED, ProblemError
from api.limits.admission import Admission
from shared.core.access.audit import Origin
from shared.core.access.people import AccountState, User
from shared.core.access.sessions import WebSession
from shared.core.documents import Device, SpaceId, share_of
from shared.core.protocol import SPACE_HEADER
from shared.ports.access import AccessStores

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_SEEN_EVERY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what they ask with: a session or a device."""

    user: User
    origin: Origin
    session: WebSession | None = None
    device: Device | None = None

    @property
    def bound(self) -> SpaceId | None:
        """The one space that the token opens; None: it opens every space of its user, or this is a session."""
        return self.device.space if self.device is not None and not self.device.every_space else None


class Callers:
    """Of one process."""

    def __init__(self, stores: AccessStores, devices: Devices, admission: Admission, cookie: SessionCookie) -> None:
        self._stores = stores
        self._admission = admission
        self._devices = devices
        self.cookie = cookie

    async def of(self, request: Request) -> Caller:
        """Whoever asks, with a token if one is sent. 401 if nobody does."""
        if "authorization" in request.headers:
            return await self._by_token(request)
        return await self._by_session(request, leaving=False)

    async def at_large(self, request: Request) -> Caller:
        """The same; 403 for a token that opens one space alone: what it asks for is not that space's."""
        caller = await self.of(request)
        if caller.bound is not None:
            raise ProblemError(SESSION_REQUIRED, "This token opens one space alone. Sign in to do that.")
        return caller

    async def person(self, request: Request, *, leaving: bool = False, csrf: str | None = None) -> Caller:
        """Whoever has a web session; 403 for a token. `leaving`: also if the account is being deleted. `csrf`: what a
        form sends in place of the header."""
        if "authorization" in request.headers:
            await self._by_token(request)
            raise ProblemError(SESSION_REQUIRED, "A token cannot do that. Sign in: POST /session.")
        return await self._by_session(request, leaving=leaving, csrf=csrf)

    async def _by_token(self, request: Request) -> Caller:
        device = await self._devices.by_hash(hash_of_token(request))
        if device is None or device.owner is None:
            raise self._devices.revoked_error()
        if not device.every_space or SPACE_HEADER in request.headers:
            await self._devices.of(request)
        else:
            await self._admission.device(request.scope, device, None)
            await self._devices.take_share(request, device.share)
        user = (await self._stores.users.by_ids([device.owner])).get(device.owner)
        if user is None or user.state is not AccountState.ACTIVE:
            raise self._devices.revoked_error()
        origin = Origin(f"device {device.id}", user.id, address_of(request))
        return Caller(user, origin, device=device)

    async def _by_session(self, request: Request, *, leaving: bool, csrf: str | None = None) -> Caller:
        now = time.time()
        session, user = await self._session(request, now)
        if user is not None:
            await self._admission.user(request.scope, user.id)
            await self._devices.take_share(request, share_of(user.id))
        if session is None or user is None or user.state is AccountState.DISABLED:
            detail = "Sign in (POST /session), or send the header Authorization: Bearer <token>."
            raise ProblemError(UNAUTHENTICATED, detail, headers={"www-authenticate": 'Bearer realm="hypertask"'})
        if request.method not in _SAFE:
            self.cookie.check_site(request)
            check_csrf(self.cookie.sent(request), request.headers.get(CSRF_HEADER, "") if csrf is None else csrf)
        if user.state is AccountState.LEAVING and not leaving:
            raise ProblemError(ACCOUNT_LEAVING, "The account is being deleted. POST /me/restore takes that back.")
        if now - session.last_seen > _SEEN_EVERY_SECONDS:
            await self._stores.sessions.seen(session.id, now)
        return Caller(user, Origin(f"session {session.id}", user.id, address_of(request)), session=session)

    async def has_session(self, request: Request) -> bool:
        """Whether the web session that the request came with is still one of somebody who may do anything. For what
        takes long."""
        _, user = await self._session(request, time.time())
        return user is not None and user.state is AccountState.ACTIVE

    async def _session(self, request: Request, now: float) -> tuple[WebSession | None, User | None]:
        """The web session, and whose it is unless it has expired."""
        token = self.cookie.sent(request)
        session = await self._stores.sessions.by_token_hash(token_hash(token)) if token else None
        if session is None or now >= session.expires_at:
            return session, None
        return session, (await self._stores.users.by_ids([session.user])).get(session.user)


def address_of(request: Request) -> str | None:
    """Where the request comes from, as far as it is known."""
    return None if request.client is None else request.client.host
