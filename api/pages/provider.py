"""Signing in at an OpenID provider: there, and back."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response

from api.access.callers import address_of
from api.authentication.auth import token_hash
from api.authentication.cookies import cookie_of
from api.errors import PROVIDER_REFUSED, ProblemError
from api.pages.arrival import begun, joined
from api.pages.site import Visit, local, to
from api.routes.oauth import public_url

_COOKIE: Final = "hypertask-flow"
_INVITATION_COOKIE: Final = "hypertask-invitation"
_COOKIE_SECONDS: Final = 600
CALLBACK: Final = "/oidc/callback"


async def start(visit: Visit) -> Response:
    """To the provider. With `link`, the secret of a form of whoever is signed in, their account is connected. With
    `invitation`, the one that this browser was shown is accepted afterwards."""
    query = visit.request.query_params
    linked = None
    if "link" in query:
        if visit.caller is None or query["link"] != visit.csrf:
            raise ProblemError(PROVIDER_REFUSED, "Sign in, and begin on the page of your account.")
        linked = visit.caller.user.id
    elif visit.caller is not None:
        return to(local(query.get("next")))
    target = "/account?done=linked" if linked is not None else local(query.get("next"))
    secret = cookie_of(visit.request, _named(visit, _INVITATION_COOKIE)) if "invitation" in query else ""
    invitation = token_hash(secret) if secret and linked is None else None
    flow = await visit.app.identities.begin(_redirect(visit), target, linked, invitation)
    response = RedirectResponse(flow.address, 303)
    _keep(visit, response, _COOKIE, flow.browser)
    return response


def keep_invitation(visit: Visit, response: Response, secret: str) -> None:
    """Until the browser goes to the provider: what is on its way there stands in addresses, which are no place for a
    secret, and a page with our policy may send no form that leads to another site."""
    _keep(visit, response, _INVITATION_COOKIE, secret)


async def callback(visit: Visit) -> Response:
    """Back from the provider."""
    query = visit.request.query_params
    if "error" in query:
        raise ProblemError(PROVIDER_REFUSED, "The provider says no, or you have left it. Begin again.")
    user, flow = await visit.app.identities.finish(
        code=query.get("code", ""),
        state=query.get("state", ""),
        browser=cookie_of(visit.request, _named(visit, _COOKIE)),
        redirect=_redirect(visit),
        address=address_of(visit.request),
    )
    if flow.user is not None:
        if visit.caller is None or visit.caller.user.id != user.id:
            raise ProblemError(PROVIDER_REFUSED, "You have signed out meanwhile. The account is connected.")
        response = to(flow.target)
    else:
        caller, response = await begun(visit.request, user, to(flow.target))
        if flow.invitation is not None:
            response.headers["location"] = await joined(visit.app, caller, flow.invitation)
            _drop(visit, response, _INVITATION_COOKIE)
    _drop(visit, response, _COOKIE)
    return response


def _redirect(visit: Visit) -> str:
    return public_url(visit.request) + CALLBACK


def _keep(visit: Visit, response: Response, cookie: str, value: str) -> None:
    secure = visit.app.callers.cookie.secure
    name = _named(visit, cookie)
    response.set_cookie(name, value, max_age=_COOKIE_SECONDS, path="/", secure=secure, httponly=True, samesite="lax")


def _drop(visit: Visit, response: Response, cookie: str) -> None:
    secure = visit.app.callers.cookie.secure
    response.delete_cookie(_named(visit, cookie), path="/", secure=secure, httponly=True, samesite="lax")


def _named(visit: Visit, cookie: str) -> str:
    return f"__Host-{cookie}" if visit.app.callers.cookie.secure else cookie
