"""Signing in, up and out, and following an invitation."""

from __future__ import annotations

from starlette.responses import Response

from api.access.callers import address_of
from api.authentication.auth import token_hash
from api.errors import MALFORMED_REQUEST, ProblemError
from api.pages.arrival import begun, joined, page_of
from api.pages.provider import keep_invitation
from api.pages.site import Visit, local, to
from api.requests import parsing
from api.routes.sessions import ended
from shared.core.access.invitations import SignUp
from shared.core.access.people import User


async def show_sign_in(visit: Visit) -> Response:
    if visit.caller is not None:
        return to(local(visit.request.query_params.get("next")))
    target = visit.fields.get("next") or visit.request.query_params.get("next")
    may_sign_up = visit.app.settings.sign_up is SignUp.OPEN
    return visit.render("sign_in.html", next=local(target), may_sign_up=may_sign_up, invitation=_secret(visit))


async def sign_in(visit: Visit) -> Response:
    fields = dict(visit.fields)
    name, password = parsing.any_text(fields, "name"), parsing.any_text(fields, "password")
    user = await visit.app.sign_in.user(name, password, address_of(visit.request))
    return await _entered(visit, user, local(fields.get("next")))


async def show_sign_up(visit: Visit) -> Response:
    if visit.caller is not None:
        return to("/account/spaces")
    closed = visit.app.settings.sign_up is not SignUp.OPEN and not _secret(visit)
    return visit.render("sign_up.html", closed=closed, invitation=_secret(visit))


async def sign_up(visit: Visit) -> Response:
    await visit.app.admission.sign_up(visit.request.scope)
    fields = {name: value for name, value in visit.fields.items() if value or name != "email"}
    secret = _secret(visit)
    user = await visit.app.accounts.sign_up(
        name=parsing.user_name(fields),
        password=parsing.new_password(fields, "password"),
        email=parsing.email(fields),
        invitation=token_hash(secret) if secret else None,
        address=address_of(visit.request),
    )
    _, response = await begun(visit.request, user, to("/account/spaces"))
    return response


async def show_sign_out(visit: Visit) -> Response:
    return visit.render("sign_out.html")


async def sign_out(visit: Visit) -> Response:
    response = to("/sign-in")
    if visit.caller is not None and visit.caller.session is not None:
        await ended(visit.request, visit.caller, visit.caller.session.id)
    # Also where the session has ended already: what the browser keeps is not to be seen any more.
    visit.app.callers.cookie.drop(response)
    return response


async def show_join(visit: Visit) -> Response:
    """The secret is in a form, never in an address: pages.js takes it from behind the # of the link."""
    secret = _secret(visit)
    if not secret:
        return visit.render("join_empty.html")
    try:
        preview = await visit.app.spaces.preview(secret)
    except ProblemError as error:
        visit.error = error
        return visit.render("join_empty.html")
    offer = preview.invitation
    response = visit.render(
        "join.html",
        invitation=secret,
        space=preview.space,
        role=offer.role,
        by=preview.by,
        expires_at=offer.expires_at,
    )
    if visit.caller is None and visit.app.settings.oidc_issuer:
        keep_invitation(visit, response, secret)
    return response


async def join(visit: Visit) -> Response:
    if visit.caller is None or visit.fields.get("act") != "accept":
        return await show_join(visit)
    invitation = await visit.app.spaces.accept(visit.caller, _secret(visit))
    return to(page_of(invitation))


async def _entered(visit: Visit, user: User, target: str) -> Response:
    """Begins the session, and accepts the invitation that was followed, if there is one."""
    caller, response = await begun(visit.request, user, to(target))
    secret = _secret(visit)
    if secret:
        response.headers["location"] = await joined(visit.app, caller, token_hash(secret))
    return response


def _secret(visit: Visit) -> str:
    """Of an invitation, from a form: what stands behind the # of a link that was pasted as a whole."""
    secret = visit.fields.get("invitation", "").strip().rpartition("#")[2]
    if len(secret) > 200:
        raise ProblemError(MALFORMED_REQUEST, "That is no invitation.")
    return secret
