"""`/account`: name, e-mail address, password, devices, sessions, leaving."""

from __future__ import annotations

import time

from starlette.responses import Response

from api.access.callers import address_of
from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError
from api.pages.site import Visit, to
from api.requests import parsing
from api.routes.sessions import ended
from shared.core.access.people import AccountState
from shared.core.access.sessions import WebSessionId
from shared.core.documents import DeviceId


async def show_account(visit: Visit) -> Response:
    user = visit.person.user
    if user.state is AccountState.LEAVING:
        return visit.render("leaving.html", delete_at=user.delete_at)
    return visit.render("account.html", grace_days=visit.app.settings.grace_days)


async def account(visit: Visit) -> Response:
    app, caller, fields = visit.app, visit.person, dict(visit.fields)
    act = fields.get("act")
    if caller.user.state is AccountState.LEAVING:
        if act != "restore":
            raise _unknown_act()
        await app.accounts.restore(caller)
        return to("/account", done="restored")
    password = fields.get("password") or None
    match act:
        case "names":
            name = parsing.user_name(fields)
            email = parsing.email({"email": fields.get("email") or None})
            await app.sign_in.confirm(caller.user.id, password, address_of(visit.request))
            if name != caller.user.name:
                await app.accounts.rename(caller, name)
            if email != caller.user.email:
                await app.accounts.set_email(caller, email)
            return to("/account", done="saved")
        case "password":
            new = parsing.new_password(fields, "new")
            await app.sign_in.confirm(caller.user.id, password, address_of(visit.request))
            await app.accounts.set_password(caller, new)
            return to("/account", done="password")
        case "delete":
            await app.sign_in.confirm(caller.user.id, password, address_of(visit.request))
            await app.accounts.delete(caller)
            return to("/account")
        case _:
            raise _unknown_act()


async def show_devices(visit: Visit) -> Response:
    app, user = visit.app, visit.person.user
    now = time.time()
    devices = [one for one in await app.devices.list_of(user.id) if not one.is_expired(now)]
    # Of spaces that the user is in: a device may be of one that the user was removed from.
    profiles = await app.stores.spaces.by_ids([one.space for one in await app.stores.members.of_user(user.id)])
    names = {space: profile.name for space, profile in profiles.items()}
    return visit.render("devices.html", devices=devices, names=names)


async def devices(visit: Visit) -> Response:
    app, caller = visit.app, visit.person
    revoked = await app.devices.revoke(
        DeviceId(visit.fields.get("device", "")), origin=caller.origin, owner=caller.user.id
    )
    if revoked is None:
        raise ProblemError(NOT_FOUND, "You have no such device, or it was revoked before.")
    await app.live.tell_revoked(revoked)
    return to("/account/devices", done="revoked")


async def show_sessions(visit: Visit) -> Response:
    caller = visit.person
    known = await visit.app.stores.sessions.list_of(caller.user.id)
    sessions = [session for session in known if time.time() < session.expires_at]
    current = None if caller.session is None else caller.session.id
    return visit.render("sessions.html", sessions=sessions, current=current)


async def sessions(visit: Visit) -> Response:
    if not await ended(visit.request, visit.person, WebSessionId(visit.fields.get("session", ""))):
        raise ProblemError(NOT_FOUND, "You have no such session, or it has ended.")
    return to("/account/sessions", done="ended")


def _unknown_act() -> ProblemError:
    return ProblemError(MALFORMED_REQUEST, "The form is not known. Load the page again.")
