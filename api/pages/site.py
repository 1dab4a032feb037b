"""What all pages have in common: who visits, forms that no other site can send, rendering, and headers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import VERSION
from api.access.callers import Caller
from api.authentication.cookies import cookie_of, csrf_of, is_csrf_of
from api.errors import CSRF, UNAUTHENTICATED, ProblemError, problem
from api.pages.words import for_people
from api.requests.forms import form_of
from api.state import AppState, state
from shared.core.access.people import AccountState
from shared.ports import UnavailableError

_FORM_COOKIE: Final = "hypertask-form"
_SAFE: Final = ("GET", "HEAD")
_LOCAL: Final = re.compile(r"/(?:account|app|device|join)(?:[/?][A-Za-z0-9/?&=%._~-]*)?\Z")
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing comes from elsewhere, nothing is run that stands in a page, and no other site shows a page in a frame."""
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # without any, browsers say "null" for the origin of a form
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
DONE: Final = {
    "saved": "It is saved.",
    "password": "The password is changed. Your other sessions have ended.",
    "revoked": "The device is revoked. Its token opens nothing any more.",
    "ended": "The session has ended.",
    "created": "The space is there.",
    "joined": "You are a member of this space now.",
    "of-no-use": "You are signed in. The invitation was of no use: you are in the space already, or it has expired.",
    "left": "You are no member of that space any more.",
    "removed": "The member is removed.",
    "deleted": "The space is deleted. Until the day shown you can take that back.",
    "restored": "It is taken back.",
    "withdrawn": "The invitation is withdrawn.",
    "handed-over": "The space has another owner now. You are an editor of it.",
    "linked": "You can sign in that way from now on.",
}
"""What a page says after something was done, by what stands in its address."""


def _when(seconds: float | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


_templates: Final = Environment(
    loader=PackageLoader("api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["when"] = _when


@dataclass
class Visit:
    """One request for a page."""

    request: Request
    caller: Caller | None
    csrf: str
    """What forms of this page send along."""
    form_cookie: str | None = None
    """To be given to a browser that has none."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of the form that was sent."""
    error: ProblemError | None = None
    """Why what was sent was not done."""

    @property
    def app(self) -> AppState:
        return state(self.request)

    @property
    def person(self) -> Caller:
        """Who is signed in, on a page that needs it."""
        assert self.caller is not None
        return self.caller

    def render(self, template: str, status: int | None = None, **values: Any) -> Response:
        """The page. Its status is that of what went wrong, unless it is given."""
        error = self.error
        if status is None:
            status = 200 if error is None else error.kind.status
        text = _templates.get_template(template).render(
            csrf=self.csrf,
            user=None if self.caller is None else self.caller.user,
            error=error,
            why=None if error is None else for_people(error),
            done=DONE.get(self.request.query_params.get("done", "")),
            sent=self.fields,
            path=self.request.url.path,
            version=VERSION,
            provider=self.app.settings.oidc_name if self.app.settings.oidc_issuer else None,
            **values,
        )
        headers = {**HEADERS, **(error.headers if error is not None else {})}
        if self.app.callers.cookie.secure:
            headers["strict-transport-security"] = "max-age=31536000"
        response = HTMLResponse(text, status, headers=headers)
        if self.form_cookie is not None:
            secure = self.app.callers.cookie.secure
            name = _form_cookie_name(self.app)
            response.set_cookie(name, self.form_cookie, path="/", secure=secure, httponly=True, samesite="lax")
        return response


Show = Callable[[Visit], Awaitable[Response]]
FormAction = Callable[[Visit], Awaitable[Response]]


def page(
    show: Show, act: FormAction | None = None, *, signed_in: bool = True
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a page. `act`: what its forms do; when that is refused, the page is shown again and says why.
    `signed_in`: whoever is not is asked to sign in first."""

    async def endpoint(request: Request) -> Response:
        try:
            visit = await _visit(request)
        except (ProblemError, UnavailableError) as error:
            return _failed(request, error)
        try:
            if signed_in and (away := _away(visit)) is not None:
                return away
            if request.method in _SAFE or act is None:
                return await show(visit)
            try:
                return await act(visit)
            except ProblemError as error:
                visit.error = error
                return await show(visit)
        except (ProblemError, UnavailableError) as error:
            visit.error = problem(error)
            return visit.render("problem.html")

    return endpoint


async def _visit(request: Request) -> Visit:
    app = state(request)
    fields = {} if request.method in _SAFE else await form_of(request)
    try:
        caller = await app.callers.person(request, leaving=True, csrf=fields.get("csrf", ""))
        return Visit(request, caller, csrf_of(app.callers.cookie.sent(request)), fields=fields)
    except ProblemError as error:
        if error.kind is not UNAUTHENTICATED:
            raise
    known = cookie_of(request, _form_cookie_name(app))
    if request.method not in _SAFE:
        app.callers.cookie.check_site(request)
        if not known or not is_csrf_of(known, fields.get("csrf", "")):
            raise ProblemError(CSRF, "The form is too old, or was sent by another site. Load the page again.")
    if known:
        return Visit(request, None, csrf_of(known), fields=fields)
    new = secrets.token_urlsafe(24)
    return Visit(request, None, csrf_of(new), new, fields)


def _away(visit: Visit) -> Response | None:
    """Where somebody is sent who cannot see a page that needs an account."""
    if visit.caller is None:
        target = visit.request.url.path
        if visit.request.method in _SAFE and visit.request.url.query:
            target += f"?{visit.request.url.query}"
        return to(f"/sign-in?next={quote(target, safe='')}")
    if visit.caller.user.state is AccountState.LEAVING and visit.request.url.path != "/account":
        return to("/account")
    return None


def _failed(request: Request, error: Exception) -> Response:
    """A page for one of whom nothing is known."""
    return Visit(request, None, "", error=problem(error)).render("problem.html")


def to(path: str, **query: str) -> Response:
    """Another page, which is asked for with GET."""
    headers = {"referrer-policy": "same-origin"}
    return RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), 303, headers=headers)


def local(target: str | None) -> str:
    """Where to go after signing in: a page of ours that was asked for, or the first one."""
    return target if target is not None and _LOCAL.match(target) else "/account/spaces"


def _form_cookie_name(app: AppState) -> str:
    return f"__Host-{_FORM_COOKIE}" if app.callers.cookie.secure else _FORM_COOKIE
