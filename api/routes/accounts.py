"""`/users` and `/me`: accounts, by those whose they are."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.access.accounts import unless_empty
from api.access.callers import Caller, address_of
from api.authentication.auth import token_hash
from api.http.codings import IDENTITY, Encoder
from api.representations import people
from api.requests import parsing
from api.requests.body import enter_large
from api.routes.export import nothing, pieces_of, space_lines
from api.routes.sessions import begun
from api.state import AppState, state
from shared import codec
from shared.core.access.people import User
from shared.core.access.roles import Role
from shared.core.documents import share_of


async def sign_up(request: Request) -> Response:
    app = state(request)
    app.callers.cookie.check_site(request)
    await app.admission.sign_up(request.scope)
    members = await parsing.members_of(request, {"name", "password", "email", "invitation"})
    invitation = members.get("invitation") and parsing.any_text(members, "invitation")
    user = await app.accounts.sign_up(
        name=parsing.user_name(members),
        password=parsing.new_password(members, "password"),
        email=parsing.email(members),
        invitation=token_hash(invitation) if invitation else None,
        address=address_of(request),
    )
    return await begun(request, user, 201)


async def get_me(request: Request) -> Response:
    caller = await state(request).callers.of(request)
    return _shown(caller.user)


async def patch_me(request: Request) -> Response:
    """Name and e-mail address, with the password: who has either may be taken for the user."""
    app = state(request)
    caller = await app.callers.person(request)
    members = await parsing.members_of(request, {"name", "email", "password"}, key=caller.user.id)
    name = parsing.user_name(members) if "name" in members else None
    email = parsing.email(members)
    unless_empty({member: value for member, value in members.items() if member != "password"})
    await app.sign_in.confirm(caller.user.id, _password(members), address_of(request))
    if name is not None:
        await app.accounts.rename(caller, name)
    if "email" in members:
        await app.accounts.set_email(caller, email)
    users = await app.stores.users.by_ids([caller.user.id])
    return _shown(users.get(caller.user.id, caller.user))


async def put_password(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.person(request)
    members = await parsing.members_of(request, {"password", "new"}, key=caller.user.id)
    new = parsing.new_password(members, "new")
    await app.sign_in.confirm(caller.user.id, _password(members), address_of(request))
    await app.accounts.set_password(caller, new)
    return Response(status_code=204)


async def delete_me(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.person(request)
    members = await parsing.members_of(request, {"password"}, key=caller.user.id)
    await app.sign_in.confirm(caller.user.id, _password(members), address_of(request))
    delete_at = await app.accounts.delete(caller)
    return Response(codec.dumps({"delete_at": delete_at}), 202, media_type="application/json")


async def restore_me(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.person(request, leaving=True)
    await app.accounts.restore(caller)
    return Response(status_code=204)


async def export_me(request: Request) -> StreamingResponse:
    """What is known of the user; then every space of theirs, each as `GET /export` gives it. It is whole if, and only
    if, the last line says so; it is cut when the session ends meanwhile."""
    app = state(request)
    caller = await app.callers.person(request)
    await enter_large(request, share_of(caller.user.id))
    lines = _exported(app, caller) if request.method != "HEAD" else nothing()

    async def still_open() -> bool:
        return await app.callers.has_session(request)

    return StreamingResponse(pieces_of(lines, Encoder(IDENTITY), still_open), media_type="application/x-ndjson")


async def _exported(app: AppState, caller: Caller) -> AsyncIterator[bytes]:
    user = caller.user
    members = await app.stores.members.of_user(user.id)
    devices = await app.devices.list_of(user.id)
    profiles = await app.stores.spaces.by_ids([member.space for member in members])
    spaces = [people.space_row(profiles[one.space], one.role) for one in members if one.space in profiles]
    sessions = [people.session_row(session, None) for session in await app.stores.sessions.list_of(user.id)]
    account = {
        **people.own_row(user),
        "devices": [people.device_row(device) for device in devices],
        "spaces": spaces,
        "sessions": sessions,
    }
    yield codec.dumps({"account": account}) + b"\n"
    owned = [member.space for member in members if member.role is Role.OWNER]
    for space in owned:
        async for line in space_lines(app, space, (await app.hash_maps.lineage(space)).position):
            yield line
    now = time.time()
    await app.stores.users.exported(user.id, now)
    yield codec.dumps({"complete": True, "spaces": len(owned)}) + b"\n"


def _password(members: dict[str, object]) -> str | None:
    return parsing.optional(dict(members), "password", lambda text: len(text) <= 1000, "your password")


def _shown(user: User) -> Response:
    return Response(codec.dumps(people.own_row(user)), media_type="application/json")
