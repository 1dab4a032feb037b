"""`/device`: the code that a terminal shows (RFC 8628)."""

from __future__ import annotations

from starlette.responses import Response

from api.errors import MALFORMED_REQUEST, RATE_LIMITED, ProblemError
from api.pages.site import Visit
from api.requests import parsing
from shared.core.access.device_grants import DeviceGrant, shown
from shared.core.access.roles import SpaceState
from shared.core.display import MAX_NAME, is_name
from shared.core.documents import SpaceId


async def show_device(visit: Visit) -> Response:
    """Asks for the code. One that stands in the address is only filled in: a link that somebody sends must not be
    enough to come to the button."""
    typed = visit.fields.get("code") or visit.request.query_params.get("code", "")
    return visit.render("device_code.html", code=typed[:20])


async def device(visit: Visit) -> Response:
    """Shows who asks; then what was decided."""
    grant = await visit.app.grants.waiting(visit.person, visit.fields.get("code", ""))
    match visit.fields.get("act"):
        case "approve":
            return await _approve(visit, grant)
        case "deny":
            await visit.app.grants.deny(grant)
            return visit.render("device_done.html", approved=False)
        case _:
            return await _ask(visit, grant)


async def _approve(visit: Visit, grant: DeviceGrant) -> Response:
    fields = dict(visit.fields)
    try:
        name = parsing.wanted(fields, "name", is_name, f"1 to {MAX_NAME} characters without control characters")
        await visit.app.grants.approve(visit.person, grant, name, SpaceId(fields.get("space", "")))
    except ProblemError as error:
        if error.kind is RATE_LIMITED:
            raise
        visit.error = error
        return await _ask(visit, grant)
    return visit.render("device_done.html", approved=True, name=name)


async def _ask(visit: Visit, grant: DeviceGrant) -> Response:
    app, user = visit.app, visit.person.user
    members = await app.stores.members.of_user(user.id)
    profiles = await app.stores.spaces.by_ids([member.space for member in members])
    spaces = [profile for profile in profiles.values() if profile.state is not SpaceState.DELETED]
    order = [member.space for member in members]
    spaces.sort(key=lambda profile: order.index(profile.id))
    if not spaces:
        raise ProblemError(MALFORMED_REQUEST, "You are in no space. Make one first.")
    return visit.render("device_ask.html", grant=grant, code=shown(grant.user_code), spaces=spaces)
