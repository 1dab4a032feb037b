"""Signing in at an OpenID provider: there, and back."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response

from api.access.callers import address_of
from api.errors import PROVIDER_REFUSED, ProblemError
from api.pages.entrance import begun
from api.pages.site import Visit, local, to
from api.routes.oauth import public_url

_COOKIE: Final = "hypertask-flow"
CALLBACK: Final = "/oidc/callback"


async def start(visit: Visit) -> Response:
    """To the provider. With `link`, the secret of a form of whoever is signed in, his account is connected."""
    query = visit.request.query_params
    linked = None
    if "link" in query:
        if visit.caller is None or query["link"] != visit.csrf:
            raise ProblemError(PROVIDER_REFUSED, "Sign in, and begin on the page of your account.")
        linked = visit.caller.user.id
    elif visit.caller is not None:
        return to(local(query.get("next")))
    target = "/account?done=linked" if linked is not None else local(query.get("next"))
    flow = await visit.app.identities.begin(_redirect(visit), target, linked)
    response = RedirectResponse(flow.address, 303)
    response.set_cookie(
        _cookie(visit), flow.browser, max_age=600, path="/", secure=visit.app.callers.cookie.secure, httponly=True,
        samesite="lax",
    )  # fmt: skip
    return response


async def callback(visit: Visit) -> Response:
    """Back from the provider."""
    query = visit.request.query_params
    if "error" in query:
        raise ProblemError(PROVIDER_REFUSED, "The provider says no, or you have left it. Begin again.")
    user, flow = await visit.app.identities.finish(
        code=query.get("code", ""),
        state=query.get("state", ""),
        browser=visit.request.cookies.get(_cookie(visit), ""),
        redirect=_redirect(visit),
        address=address_of(visit.request),
    )
    if flow.user is not None:
        if visit.caller is None or visit.caller.user.id != user.id:
            raise ProblemError(PROVIDER_REFUSED, "You have signed out meanwhile. The account is connected.")
        response = to(flow.target)
    else:
        _, response = await begun(visit.request, user, to(flow.target))
    secure = visit.app.callers.cookie.secure
    response.delete_cookie(_cookie(visit), path="/", secure=secure, httponly=True, samesite="lax")
    return response


def _redirect(visit: Visit) -> str:
    return public_url(visit.request) + CALLBACK


def _cookie(visit: Visit) -> str:
    return f"__Host-{_COOKIE}" if visit.app.callers.cookie.secure else _COOKIE
