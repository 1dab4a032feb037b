"""Which person asks: by a web session, or by the token of a device."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.admission import Admission
from api.auth import Devices, hash_of_token, token_hash
from api.errors import (
    ACCOUNT_LEAVING,
    CSRF,
    SESSION_REQUIRED,
    UNAUTHENTICATED,
    ProblemError,
)
from shared.core.access.audit import Origin
from shared.core.access.people import AccountState, User
from shared.core.access.sessions import WebSession
from shared.core.documents import Device, SpaceId
from shared.core.protocol import SPACE_HEADER
from shared.ports.access import AccessStores
from shared.settings import Settings

CSRF_HEADER: Final = "hypertask-csrf"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_SEEN_EVERY_SECONDS: Final = 60
_COOKIE: Final = "hypertask-session"


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what he asks with: a session or a device."""

    user: User
    origin: Origin
    session: WebSession | None = None
    device: Device | None = None

    @property
    def bound(self) -> SpaceId | None:
        """The space that his token opens alone; None: it opens every space of his, or he has a session."""
        return self.device.space if self.device is not None and not self.device.every_space else None


class Callers:
    """Of one process."""

    def __init__(self, stores: AccessStores, devices: Devices, admission: Admission, settings: Settings) -> None:
        self._stores = stores
        self._admission = admission
        self._devices = devices
        self._public = settings.public_url.rstrip("/")
        self._days = settings.session_days
        self.secure = self._public.startswith("https:")

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
        """Whoever has a web session; 403 for a token. `leaving`: also if his account is being deleted. `csrf`: what a
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
        user = (await self._stores.users.by_ids([device.owner])).get(device.owner)
        if user is None or user.state is not AccountState.ACTIVE:
            raise self._devices.revoked_error()
        origin = Origin(f"device {device.id}", user.id, address_of(request))
        return Caller(user, origin, device=device)

    async def _by_session(self, request: Request, *, leaving: bool, csrf: str | None = None) -> Caller:
        token = request.cookies.get(self.cookie, "")
        session = await self._stores.sessions.by_token_hash(token_hash(token)) if token else None
        now = time.time()
        user = None
        if session is not None and now < session.expires_at:
            user = (await self._stores.users.by_ids([session.user])).get(session.user)
        if user is not None:
            await self._admission.user(request.scope, user.id)
        if session is None or user is None or user.state is AccountState.DISABLED:
            detail = "Sign in (POST /session), or send the header Authorization: Bearer <token>."
            raise ProblemError(UNAUTHENTICATED, detail, headers={"www-authenticate": 'Bearer realm="hypertask"'})
        if request.method not in _SAFE:
            self.check_site(request)
            sent = request.headers.get(CSRF_HEADER, "") if csrf is None else csrf
            if not is_csrf_of(token, sent):
                raise ProblemError(CSRF, f'Send the header {CSRF_HEADER} with the "csrf" that GET /session says.')
        if user.state is AccountState.LEAVING and not leaving:
            raise ProblemError(ACCOUNT_LEAVING, "The account is being deleted. POST /me/restore takes that back.")
        if now - session.last_seen > _SEEN_EVERY_SECONDS:
            await self._stores.sessions.seen(session.id, now)
        return Caller(user, Origin(f"session {session.id}", user.id, address_of(request)), session=session)

    def check_site(self, request: Request) -> None:
        """403 if a browser says that the request comes from a page of another site. Browsers say so with each request
        that changes something."""
        origin = request.headers.get("origin")
        ours = {request.headers.get("host", "").lower(), urlsplit(self._public).netloc.lower()}
        foreign = origin is not None and urlsplit(origin).netloc.lower() not in ours - {""}
        if foreign or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise ProblemError(CSRF, "The request comes from a page of another site.")

    @property
    def cookie(self) -> str:
        """The name of the cookie. With its prefix browsers send it to this host alone, by https alone."""
        return f"__Host-{_COOKIE}" if self.secure else _COOKIE

    def put_cookie(self, response: Response, token: str) -> None:
        """Gives the browser its session."""
        response.set_cookie(
            self.cookie,
            token,
            max_age=int(self._days * 86400),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",  # links from elsewhere lead to one's own pages; what changes something needs more
        )

    def drop_cookie(self, response: Response) -> None:
        response.delete_cookie(self.cookie, path="/", secure=self.secure, httponly=True, samesite="lax")


def csrf_of(cookie: str) -> str:
    """What the pages of this site alone can know, since they alone can read it: in their forms, and at
    `GET /session`. `cookie`: the secret of the session, or of the form of somebody who is not signed in."""
    return hashlib.sha256(b"csrf " + cookie.encode()).hexdigest()[:32]


def is_csrf_of(cookie: str, sent: str) -> bool:
    """Whether a page of this site sent it."""
    return hmac.compare_digest(sent.encode("utf-8", "replace"), csrf_of(cookie).encode())


def address_of(request: Request) -> str | None:
    """Where the request comes from, as far as it is known."""
    return None if request.client is None else request.client.host
