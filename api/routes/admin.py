"""`/admin`: for administrators who have signed in. For everybody else there is nothing here: 404."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api import VERSION
from api.access.accounts import unless_empty
from api.access.administration import PAGE
from api.access.callers import Caller
from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError
from api.representations import people
from api.requests import parsing
from api.routes.spaces import MAX_INVITATION_SECONDS, invited
from api.state import state
from shared import codec
from shared.core.access.invitations import InvitationId
from shared.core.access.limits import Limit
from shared.core.documents import SpaceId, UserId, is_space_id

_MAX_SEARCH: Final = 200


async def overview(request: Request) -> Response:
    """The limits as the settings say them, and how one becomes a user."""
    await _administrator(request)
    settings = state(request).settings
    limits = {limit.value: getattr(settings, limit.value) for limit in Limit}
    return _json({"version": VERSION, "sign_up": settings.sign_up.value, "limits": limits})


async def list_users(request: Request) -> Response:
    await _administrator(request)
    text, after, most = _page(request)
    rows = await state(request).administration.users(text, after, most)
    return _json({"users": rows, "after": rows[-1]["user"] if len(rows) == most else None})


async def add_user(request: Request) -> Response:
    app = state(request)
    caller = await _administrator(request)
    members = await _members(request, caller, {"name", "email", "password", "administrator"})
    user, password = await app.administration.add_user(
        caller.origin,
        parsing.user_name(members),
        email=parsing.email(members),
        password=parsing.new_password(members, "password") if members.get("password") is not None else None,
        administrator=parsing.flag(members, "administrator") or False,
    )
    return _json({**await app.administration.user(user.id), "password": password}, 201)


async def get_user(request: Request) -> Response:
    await _administrator(request)
    return _json(await state(request).administration.user(_user(request)))


async def patch_user(request: Request) -> Response:
    app = state(request)
    caller = await _administrator(request)
    members = await _members(request, caller, {"disabled", "administrator"})
    disabled, administrator = parsing.flag(members, "disabled"), parsing.flag(members, "administrator")
    unless_empty({name: value for name, value in members.items() if value is not None})
    if administrator is not None:
        await app.administration.set_administrator(caller.origin, _user(request), administrator=administrator)
    if disabled is not None:
        await app.administration.set_disabled(caller.origin, _user(request), disabled=disabled)
    return _json(await app.administration.user(_user(request)))


async def reset_user(request: Request) -> Response:
    caller = await _administrator(request)
    members = await _members(request, caller, {"devices"})
    devices = parsing.flag(members, "devices") or False
    password = await state(request).administration.reset(caller.origin, _user(request), devices=devices)
    return _json({"user": _user(request), "password": password})


async def put_user_limits(request: Request) -> Response:
    caller = await _administrator(request)
    limits = _limits(await _members(request, caller, {"limits"}))
    return _json(await state(request).administration.set_user_limits(caller.origin, _user(request), limits))


async def list_all_spaces(request: Request) -> Response:
    await _administrator(request)
    text, after, most = _page(request)
    rows = await state(request).administration.spaces(text, after, most)
    return _json({"spaces": rows, "after": rows[-1]["space"] if len(rows) == most else None})


async def get_any_space(request: Request) -> Response:
    app = state(request)
    await _administrator(request)
    space = _space(request)
    row = await app.administration.space(space)
    return _json({**row, "waiting": await app.submissions.waiting(space)})


async def put_space_limits(request: Request) -> Response:
    caller = await _administrator(request)
    limits = _limits(await _members(request, caller, {"limits"}))
    return _json(await state(request).administration.set_space_limits(caller.origin, _space(request), limits))


async def list_server_invitations(request: Request) -> Response:
    await _administrator(request)
    waiting = await state(request).stores.invitations.list_of(None)
    return _json({"invitations": [people.invitation_row(invitation) for invitation in waiting]})


async def add_server_invitation(request: Request) -> Response:
    """To the server: whoever follows it may make an account, even where sign-up is closed."""
    caller = await _administrator(request)
    members = await _members(request, caller, {"expires_in"})
    seconds = parsing.seconds(members, "expires_in", MAX_INVITATION_SECONDS)
    invitation, secret = await state(request).spaces.invite(
        caller.origin, None, None, seconds=seconds, by_administrator=True
    )
    return _json(invited(request, invitation, secret), 201)


async def revoke_server_invitation(request: Request) -> Response:
    caller = await _administrator(request)
    invitation = InvitationId(request.path_params["invitation"])
    await state(request).spaces.revoke_invitation(caller.origin, None, invitation)
    return Response(status_code=204)


async def read_audit(request: Request) -> Response:
    await _administrator(request)
    query = request.query_params
    most = _limit(request)
    try:
        before = float(query["before"]) if "before" in query else None
    except ValueError:
        raise ProblemError(MALFORMED_REQUEST, "before is a time in seconds since 1970.") from None
    rows = await state(request).administration.audit(
        space=SpaceId(query["space"]) if "space" in query else None,
        user=UserId(query["user"]) if "user" in query else None,
        before=before,
        most=most,
    )
    return _json({"entries": rows, "before": rows[-1]["at"] if len(rows) == most else None})


async def _administrator(request: Request) -> Caller:
    caller = await state(request).callers.person(request)
    if not caller.user.administrator:
        raise ProblemError(NOT_FOUND, "There is nothing at this address.")
    return caller


async def _members(request: Request, caller: Caller, known: set[str]) -> dict[str, Any]:
    return await parsing.members_of(request, known, key=caller.user.id)


def _limits(members: dict[str, Any]) -> dict[str, object]:
    limits = members.get("limits")
    if not isinstance(limits, dict):
        raise ProblemError(MALFORMED_REQUEST, '"limits" is an object: limits by name.', pointer="/limits")
    return limits


def _user(request: Request) -> UserId:
    return UserId(request.path_params["user"])


def _space(request: Request) -> SpaceId:
    text: str = request.path_params["space"]
    if not is_space_id(text):
        raise ProblemError(NOT_FOUND, "There is no such space.")
    return SpaceId(text)


def _page(request: Request) -> tuple[str, str, int]:
    """`?search=&after=&limit=`."""
    query = request.query_params
    return query.get("search", "")[:_MAX_SEARCH], query.get("after", ""), _limit(request)


def _limit(request: Request) -> int:
    """`?limit=`: the rows of a page."""
    limit = request.query_params.get("limit", str(PAGE))
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 5 and 1 <= int(limit) <= PAGE):
        raise ProblemError(MALFORMED_REQUEST, f"limit is a whole number from 1 to {PAGE}.")
    return int(limit)


def _json(value: object, status: int = 200) -> Response:
    return Response(codec.dumps(value), status, media_type="application/json")
