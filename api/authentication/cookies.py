"""The cookie of a web session, and how requests of this server's own pages are told from those of other sites."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.errors import CSRF, ProblemError
from shared.core.identifiers import UserId
from shared.settings import Settings

CSRF_HEADER: Final = "hypertask-csrf"
_COOKIE: Final = "hypertask-session"
_USER_COOKIE: Final = "hypertask-user"
"""Who has signed in in this browser; empty once they have signed out. It opens nothing: scripts of our own pages read
it, so that nobody sees what the browser keeps of somebody else."""
_USER_SECONDS: Final = 400 * 86400
"""As long as browsers keep a cookie at most."""


class SessionCookie:
    """Given to a browser that has signed in."""

    def __init__(self, settings: Settings) -> None:
        self._public = settings.public_url.rstrip("/")
        self._days = settings.session_days
        self.secure = self._public.startswith("https:")

    @property
    def name(self) -> str:
        """With its prefix browsers send it to this host alone, by https alone."""
        return f"__Host-{_COOKIE}" if self.secure else _COOKIE

    def sent(self, request: Request) -> str:
        """The token of the session; empty without one."""
        return cookie_of(request, self.name)

    def sent_by_our_script(self, request: Request) -> str | None:
        """The token of the session, if a script of one of our pages made the request: it has sent the header, which
        neither a form nor a link can. None without the header, whatever the method. 403 if it is not the session's,
        or the request comes from elsewhere."""
        header, token = request.headers.get(CSRF_HEADER), self.sent(request)
        if header is None or not token:
            return None
        self.check_site(request)
        check_csrf(token, header)
        return token

    def check_site(self, request: Request) -> None:
        """403 if a browser says that the request comes from a page of another site. Browsers say so with each request
        that changes something."""
        origin = request.headers.get("origin")
        ours = {request.headers.get("host", "").lower(), urlsplit(self._public).netloc.lower()}
        # Not taken apart as an address: it may be none. It is the scheme and the host alone, or "null" (RFC 6454, 7).
        foreign = origin is not None and origin.partition("://")[2].lower() not in ours - {""}
        if foreign or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise ProblemError(CSRF, "The request comes from a page of another site.")

    def put(self, response: Response, token: str, user: UserId) -> None:
        """Gives the browser its session."""
        response.set_cookie(
            self.name,
            token,
            max_age=int(self._days * 86400),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",  # links from elsewhere lead to one's own pages; what changes something needs more
        )
        self._name_user(response, user)

    def drop(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")
        self._name_user(response, "")

    def name_user(self, request: Request, response: Response, user: UserId) -> None:
        """Says who is here to a browser that names another one, or nobody: he signed in with an earlier release."""
        if cookie_of(request, self._user_name) != user:
            self._name_user(response, user)

    @property
    def _user_name(self) -> str:
        return f"__Host-{_USER_COOKIE}" if self.secure else _USER_COOKIE

    def _name_user(self, response: Response, user: str) -> None:
        response.set_cookie(
            self._user_name,
            user,
            max_age=_USER_SECONDS,
            path="/",
            secure=self.secure,
            samesite="lax",
        )


def cookie_of(request: Request, name: str) -> str:
    """The value of a cookie of ours, none of which is quoted; empty without one. The framework would take apart all
    that there are, and the standard library takes quadratic time for some."""
    return cookie_in(request.headers.get("cookie", ""), name)


def cookie_in(header: str, name: str) -> str:
    """The same. Of several the last one counts."""
    last = ""
    for pair in header.split(";"):
        known, _, value = pair.partition("=")
        if known.strip() == name:
            last = value.strip()
    return last


def csrf_of(cookie: str) -> str:
    """What the pages of this site alone can know, since they alone can read it: in their forms, and at
    `GET /session`. `cookie`: the secret of the session, or of the form of somebody who is not signed in."""
    return hashlib.sha256(b"csrf " + cookie.encode()).hexdigest()[:32]


def is_csrf_of(cookie: str, sent: str) -> bool:
    """Whether a page of this site sent it."""
    return hmac.compare_digest(sent.encode("utf-8", "replace"), csrf_of(cookie).encode())


def check_csrf(cookie: str, sent: str) -> None:
    """403 unless a page of this site sent it."""
    if not is_csrf_of(cookie, sent):
        raise ProblemError(CSRF, f'Send the header {CSRF_HEADER} with the "csrf" that GET /session says.')
