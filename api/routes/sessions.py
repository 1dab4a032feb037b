"""`/session` and `/sessions`: browsers that are signed in."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from api.access.callers import Caller, address_of
from api.authentication.cookies import csrf_of
from api.errors import NOT_FOUND, ProblemError
from api.representations import people
from api.requests import parsing
from api.state import state
from shared import codec
from shared.core.access.audit import AuditAct
from shared.core.access.people import User
from shared.core.access.sessions import WebSession, WebSessionId


async def sign_in(request: Request) -> Response:
    app = state(request)
    app.callers.cookie.check_site(request)
    members = await parsing.members_of(request, {"name", "password"})
    name, password = parsing.any_text(members, "name"), parsing.any_text(members, "password")
    user = await app.sign_in.user(name, password, address_of(request))
    return await begun(request, user, 200)


async def begun(request: Request, user: User, status: int) -> Response:
    """A session of the user, who has proved who they are, and its cookie."""
    app = state(request)
    agent = request.headers.get("user-agent", "")
    session, token = await app.sign_in.begin(user, address=address_of(request), agent=agent)
    response = _shown(user, session, token, status)
    app.callers.cookie.put(response, token, user.id)
    return response


async def get_session(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.person(request, leaving=True)
    assert caller.session is not None
    response = _shown(caller.user, caller.session, app.callers.cookie.sent(request), 200)
    app.callers.cookie.name_user(request, response, caller.user.id)
    return response


async def sign_out(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.person(request, leaving=True)
    assert caller.session is not None
    await ended(request, caller, caller.session.id)
    response = Response(status_code=204)
    app.callers.cookie.drop(response)
    return response


async def list_sessions(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.person(request)
    current = None if caller.session is None else caller.session.id
    sessions = await app.stores.sessions.list_of(caller.user.id)
    rows = [people.session_row(session, current) for session in sessions if time.time() < session.expires_at]
    return Response(codec.dumps({"sessions": rows}), media_type="application/json")


async def end_session(request: Request) -> Response:
    callers, session = state(request).callers, WebSessionId(request.path_params["session"])
    caller = await callers.person(request)
    if not await ended(request, caller, session):
        raise ProblemError(NOT_FOUND, "You have no such session, or it has ended. See GET /sessions.")
    response = Response(status_code=204)
    if caller.session is not None and caller.session.id == session:
        callers.cookie.drop(response)
    return response


async def ended(request: Request, caller: Caller, session: WebSessionId) -> bool:
    """Ends a session of the caller's, and what it holds open. False: they have no such session."""
    entry = caller.origin.entry(AuditAct.SESSION_ENDED, time.time(), user=caller.user.id, session=session)
    app = state(request)
    if not await app.stores.sessions.end(session, caller.user.id, entry):
        return False
    await app.accounts.tell_of(caller.user.id)
    return True


def _shown(user: User, session: WebSession, token: str, status: int) -> Response:
    body = {**people.own_row(user), "session": people.session_row(session, session.id), "csrf": csrf_of(token)}
    return Response(codec.dumps(body), status, media_type="application/json")
